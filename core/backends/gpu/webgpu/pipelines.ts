import type { Shader } from '../device.ts'
import { mostArguments } from '../wgsl/indexing.ts'

/** A compute pipeline that is being built, and whatever came of it. */
export interface Built {
  readonly layout: GPUBindGroupLayout
  /** Whether the shader takes scalar parameters. */
  readonly hasParams: boolean
  pipeline?: GPUComputePipeline
  failure?: string
  /** Resolves when one of the two is there; never rejects. */
  readonly settled: Promise<void>
}

/** Bytes of the uniform window of sizes and scalar parameters, and the distance between two of them: 256, as WebGPU promises to align. */
export const paramsBytes = 4 * mostArguments

const visibility = 4 // GPUShaderStage.COMPUTE

/** Bindings of a shader, and whether it takes sizes or scalar parameters. */
interface Counts {
  readonly inputs: number
  readonly outputs: number
  readonly hasParams: boolean
}

export interface Pipelines {
  get(shader: Shader, counts: Counts): Built
}

/** Builds every WGSL module once, in the background. Layouts depend only on the number of bindings. */
export const createPipelines = (device: GPUDevice): Pipelines => {
  const built = new Map<string, Built>()
  const layouts = new Map<string, GPUBindGroupLayout>()

  const layoutFor = ({ inputs, outputs, hasParams }: Counts): GPUBindGroupLayout => {
    const key = `${inputs},${outputs},${hasParams}`
    let layout = layouts.get(key)
    if (!layout) {
      const entries: GPUBindGroupLayoutEntry[] = Array.from({ length: inputs + outputs }, (_, binding) => ({
        binding,
        visibility,
        buffer: { type: binding < inputs ? 'read-only-storage' : 'storage' },
      }))
      if (hasParams) entries.push({ binding: inputs + outputs, visibility, buffer: { type: 'uniform', hasDynamicOffset: true } })
      layout = device.createBindGroupLayout({ entries })
      layouts.set(key, layout)
    }
    return layout
  }

  const build = (code: string, counts: Counts): Built => {
    const layout = layoutFor(counts)
    // The pipeline's rejection carries the message; without a scope the module's error would be reported a second time.
    device.pushErrorScope('validation')
    const module = device.createShaderModule({ code })
    void device.popErrorScope().catch(() => undefined)
    const entry: Built = {
      layout,
      hasParams: counts.hasParams,
      settled: device
        .createComputePipelineAsync({
          layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: 'main' },
        })
        .then(
          pipeline => {
            entry.pipeline = pipeline
          },
          async error => {
            const { messages } = await module.getCompilationInfo()
            const first = messages.find(({ type }) => type === 'error')
            entry.failure = first ? `WGSL line ${first.lineNum}: ${first.message}` : String(error?.message ?? error)
          },
        ),
    }
    return entry
  }

  return {
    get({ code }, counts) {
      let entry = built.get(code)
      if (!entry) {
        entry = build(code, counts)
        built.set(code, entry)
      }
      return entry
    },
  }
}
