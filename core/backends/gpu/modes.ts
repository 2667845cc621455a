import { openWebgpu } from './webgpu/open.ts'

/** The backends of gpu.js that this project knows, best first. */
export const gpuModes = ['webgpu', 'headlessgl', 'webasm', 'cpu'] as const

export type GpuMode = (typeof gpuModes)[number]

/** Modes whose kernels run on the host: nothing needs to be installed for them. */
export const hostModes = ['webasm', 'cpu'] as const

/** Modes of which gpu.js takes values from the host's memory and brings results back to it, at every call. */
export type HostMode = Exclude<GpuMode, 'webgpu'>

/** Why a mode cannot run here, and what to do. */
export interface MissingMode {
  readonly what: string
  readonly remedy: string
}

/** One line: what a mode needs that is not here. */
const needs = {
  webgpu:
    'it needs the npm package webgpu (npm ci without --omit=optional) and a Vulkan driver (that of the card, or apt-get install libvulkan1 mesa-vulkan-drivers, version 25 or later)',
  headlessgl:
    'it needs the npm package gl@8.1.6 compiled from source (apt-get install g++ make python3 pkg-config libxi-dev libgl1-mesa-dev, then npm run gpu:install-gl, about ten minutes) and an X display (apt-get install xvfb xauth, then put xvfb-run -a before the command)',
}

const isPresent: Readonly<Record<GpuMode, () => Promise<boolean>>> = {
  webgpu: async () => (await openWebgpu()) !== undefined,
  // Without the package its place holds an empty one; without a display it gives no context.
  headlessgl: async () => (await import('gpu.js')).GPU.isHeadlessGLSupported,
  webasm: async () => true,
  cpu: async () => true,
}

/** Why a mode cannot run here; undefined when it can. */
export const missingMode = async (mode: GpuMode): Promise<MissingMode | undefined> =>
  (await isPresent[mode]())
    ? undefined
    : {
        what: `backend gpu:${mode}: the mode is not present, ${needs[mode as keyof typeof needs]}`,
        remedy: 'use gpu:webasm, which needs nothing',
      }

/** The mode that runs, for one that is asked for or, with `best`, the best one present. @throws Error when it is missing */
export const chooseMode = async (asked: GpuMode | 'best'): Promise<GpuMode> => {
  if (asked === 'best') {
    for (const mode of gpuModes) if (await isPresent[mode]()) return mode
  }
  const mode = asked as GpuMode
  const missing = await missingMode(mode)
  if (missing) throw new Error(`${missing.what}; ${missing.remedy}`)
  return mode
}
