/** A WebGPU device with all limits of its adapter, and what it is. */
export interface OpenWebgpu {
  readonly device: GPUDevice
  /** Kept as long as the device: Dawn crashes when the garbage collector takes what a device came from. */
  readonly origin: readonly [GPU, GPUAdapter]
  readonly adapter: string
  readonly driver: string
  /** What the driver tells of the adapter. */
  readonly info: Readonly<Record<'vendor' | 'architecture' | 'device' | 'description', string>>
  /** Features and limits that decide what kernels may use. */
  readonly features: readonly string[]
  readonly limits: Readonly<Record<string, number>>
  /** A driver that computes on the processor, such as Mesa's llvmpipe. */
  readonly software: boolean
}

/** Features that kernels may use where they exist. */
const wanted: readonly GPUFeatureName[] = ['subgroups', 'shader-f16', 'timestamp-query']

/** Limits worth telling. */
const shownLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
] as const

/** The npm package `webgpu`, which is optional; undefined when it is not installed. */
const loadPackage = async (): Promise<GPU | undefined> => {
  const found: Partial<typeof import('webgpu')> | undefined = await import('webgpu').catch(() => undefined)
  return found?.create?.([])
}

const limitsOf = ({ limits }: GPUAdapter): Record<string, number> => {
  const all: Record<string, number> = {}
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits]
    if (typeof value === 'number') all[name] = value
  }
  return all
}

const open = async (): Promise<OpenWebgpu | undefined> => {
  const gpu = await loadPackage()
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' })
  if (!gpu || !adapter) return undefined
  const device = await adapter.requestDevice({
    requiredFeatures: wanted.filter(feature => adapter.features.has(feature)),
    requiredLimits: limitsOf(adapter),
  })
  // A device that is still alive at exit can crash its driver's threads.
  process.once('exit', () => device.destroy())
  const { device: name, architecture, description, vendor } = adapter.info
  return {
    device,
    origin: [gpu, adapter],
    adapter: name || architecture || vendor || 'unnamed adapter',
    driver: description,
    info: { vendor, architecture, device: name, description },
    features: wanted.filter(feature => device.features.has(feature)),
    limits: Object.fromEntries(shownLimits.map(name => [name, device.limits[name]])),
    software: adapter.info.isFallbackAdapter || architecture === 'software' || /llvmpipe|swiftshader/i.test(`${name} ${description}`),
  }
}

let opened: Promise<OpenWebgpu | undefined> | undefined

/** The process's one WebGPU device, opened on first use. Undefined when the package or a driver is missing. */
export const openWebgpu = (): Promise<OpenWebgpu | undefined> => {
  opened ??= open()
  return opened
}
