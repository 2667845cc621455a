/** The backends of gpu.js that this project knows, best first. */
export const gpuModes = ['webgpu', 'headlessgl', 'webasm', 'cpu'] as const

export type GpuMode = (typeof gpuModes)[number]

/** Modes whose kernels run on the host: nothing needs to be installed for them. */
export const hostModes = ['webasm', 'cpu'] as const

export type HostMode = (typeof hostModes)[number]

/** One line: what a mode needs that is not here. */
const needs: Readonly<Record<Exclude<GpuMode, HostMode>, string>> = {
  webgpu:
    'it needs a build with webgpu kernels, the npm package webgpu@0.4.0 and a Vulkan driver (apt-get install libvulkan1 mesa-vulkan-drivers, or that of the card)',
  headlessgl:
    'it needs a build with OpenGL kernels, the npm package gl@8.1.6 compiled from source (apt-get install libxi-dev libgl1-mesa-dev) and an X display (xvfb-run -a)',
}

const isHostMode = (mode: GpuMode): mode is HostMode => (hostModes as readonly string[]).includes(mode)

/** Why a mode cannot run here, and what to do; undefined when it can. */
export const missingMode = (mode: GpuMode): { readonly what: string; readonly remedy: string } | undefined =>
  isHostMode(mode)
    ? undefined
    : { what: `backend gpu:${mode}: the mode is not present, ${needs[mode]}`, remedy: 'use gpu:webasm, which needs nothing' }

/** The mode that runs, for one that is asked for or, with `best`, the best one present. @throws Error when it is missing */
export const chooseMode = (asked: GpuMode | 'best'): HostMode => {
  const mode = asked === 'best' ? gpuModes.find(each => missingMode(each) === undefined)! : asked
  if (isHostMode(mode)) return mode
  const { what, remedy } = missingMode(mode)!
  throw new Error(`${what}; ${remedy}`)
}
