import type { DeviceArray, DispatchArguments } from '../device.ts'
import { argumentsText, workgroupsFor } from './indexing.ts'
import { treeText } from './tree.ts'
import type { WgslDevice } from './wgslKernel.ts'

/**
 * A kernel that treats sets of elements (rows, groups of channels), each by one workgroup or by one thread: its body may call
 * `sum(value, lane)` and, with `withMaximum`, `maximum(value, lane)`, which combine over the threads of the set.
 */
export interface SetKernel {
  readonly inputs: number
  /** Names in `args`, the first being `sets`. */
  readonly sizes: readonly string[]
  readonly params: readonly string[]
  /** Threads of a set: a power of two, or 1. */
  readonly threads: number
  readonly withMaximum?: boolean
  readonly functions: string
  /** Statements in `unit`, the number of the set, and `lane`, between barriers that all threads of a set reach. */
  readonly body: string
}

/** Sets of a thread each share a workgroup. */
const setsPerGroup = 64

const alone = (name: string): string => `fn ${name}(value : f32, lane : u32) -> f32 { return value; }`

const textOf = (kernel: SetKernel, subgroups: boolean): string => {
  const { inputs, sizes, params, threads, withMaximum = false, functions, body } = kernel
  const single = threads === 1
  const combine = (name: string, how: 'add' | 'max'): string => (single ? alone(name) : treeText(threads, how, { name, subgroups }))
  return `${subgroups ? 'enable subgroups;\n' : ''}${Array.from({ length: inputs }, (_, i) => `@group(0) @binding(${i}) var<storage, read> x${i} : array<f32>;`).join('\n')}
@group(0) @binding(${inputs}) var<storage, read_write> result : array<f32>;
${argumentsText(inputs + 1, sizes, params)}
${combine('sum', 'add')}
${withMaximum ? combine('maximum', 'max') : ''}
${functions}
@compute @workgroup_size(${single ? setsPerGroup : threads})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>,
    @builtin(local_invocation_index) index : u32) {
  let number = group.x + group.y * groups.x;
  let unit = ${single ? `number * ${setsPerGroup}u + index` : 'number'};
  let lane = ${single ? '0u' : 'index'};
  if (unit >= args.sets) { return; }
  ${body}
}`
}

/** The WGSL modules of a kernel. */
export interface SetModules {
  readonly plain: string
  /** For devices with subgroups. */
  readonly subgroups: string
}

export const setsText = (kernel: SetKernel): SetModules => {
  const plain = textOf(kernel, false)
  return { plain, subgroups: kernel.threads === 1 ? plain : textOf(kernel, true) }
}

/** All that changes from call to call. */
export interface SetDispatch extends DispatchArguments {
  readonly sets: number
  readonly threads: number
  readonly inputs: readonly DeviceArray[]
  readonly length: number
}

export const dispatchSets = (
  device: WgslDevice,
  modules: SetModules,
  { sets, threads, inputs, length, ...given }: SetDispatch,
): DeviceArray => {
  const code = device.wgsl?.subgroups ? modules.subgroups : modules.plain
  return device.dispatch({ code, workgroups: workgroupsFor(threads === 1 ? Math.ceil(sets / setsPerGroup) : sets), length }, inputs, given)
}
