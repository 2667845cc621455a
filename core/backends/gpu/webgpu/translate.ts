import * as library from 'gpu.js'
import { sizeOf } from '../../../shape.ts'
import type { Program, Shader } from '../device.ts'
import { workgroupsFor } from '../wgsl/indexing.ts'

/** What this project uses of gpu.js's translator, whose types are not published. */
interface Translator {
  setupConstants(): void
  setupArguments(values: readonly unknown[]): void
  validateSettings(values: readonly unknown[]): void
  translateSource(): void
  readonly translatedFunctions: string
  readonly translatedBody: string
}

const { GPU, WebGPUKernel } = library as unknown as {
  GPU: typeof library.GPU
  WebGPUKernel: new (source: string, settings: Record<string, unknown>) => Translator
}

const groupSize = 64

const list = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i))

let host: library.GPU | undefined

/** Functions and body of a program in WGSL. gpu.js translates without a device. */
const translateBody = (program: Program, inputs: number, params: number): Pick<Translator, 'translatedFunctions' | 'translatedBody'> => {
  host ??= new GPU({ mode: 'cpu' })
  const names = [...list(inputs, i => `x${i}`), ...list(params, i => `p${i}`)]
  const translator = new WebGPUKernel(`function (${names.join(', ')}) {\n${program.body}\n}`, {
    gpu: host,
    output: [...program.grid],
    precision: 'single',
    argumentTypes: [...list(inputs, () => 'Array'), ...list(params, () => 'Float')],
    functions: [...program.functions],
  })
  const values = [...list(inputs, () => new Float32Array(1)), ...list(params, () => 1)]
  translator.setupConstants()
  translator.setupArguments(values)
  translator.validateSettings(values)
  translator.translateSource()
  return translator
}

/**
 * A gpu.js program as a WGSL module. The function is gpu.js's translation; the rest is ours, because its own dispatches fail
 * beyond 65,535 threads along z and leave most of a workgroup idle where x or y is short: here every workgroup is 64
 * threads of the flat result, whose coordinates are exact integer divisions by literals.
 */
export const translate = (program: Program, inputs: number, params: number): Shader => {
  const { translatedFunctions, translatedBody } = translateBody(program, inputs, params)
  const length = sizeOf(program.grid)
  const workgroups = workgroupsFor(Math.ceil(length / groupSize))
  const [width, height = 1] = program.grid as [number, number?]
  const code = `${list(inputs, i => `@group(0) @binding(${i}) var<storage, read> user_x${i} : array<f32>;`).join('\n')}
@group(0) @binding(${inputs}) var<storage, read_write> result : array<f32>;
${params > 0 ? `struct Params { ${list(params, i => `user_p${i} : f32`).join(', ')} }\n@group(0) @binding(${inputs + 1}) var<uniform> params : Params;` : ''}
var<private> threadGid : vec3<u32>;
${list(inputs, i => `fn get_user_x${i}(z : i32, y : i32, x : i32) -> f32 { return user_x${i}[x]; }`).join('\n')}
${translatedFunctions}
@compute @workgroup_size(${groupSize}) fn main(@builtin(global_invocation_id) gid : vec3<u32>) {
  let flat_index = gid.x + gid.y * ${workgroups[0] * groupSize}u;
  if (flat_index >= ${length}u) { return; }
  threadGid = vec3<u32>(flat_index % ${width}u, flat_index / ${width}u % ${height}u, flat_index / ${width * height}u);
  let data_index = i32(flat_index);
  ${translatedBody}
}`
  return { code, workgroups, length }
}
