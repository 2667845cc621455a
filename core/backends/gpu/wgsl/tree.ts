type Combine = 'add' | 'max'

const joined = (combine: Combine, a: string, b: string): string => (combine === 'add' ? `${a} + ${b}` : `max(${a}, ${b})`)

/** A barrier for each doubling of the values that are combined. */
const byTree = (
  threads: number,
  combine: Combine,
  name: string,
): string => `  for (var half = ${threads / 2}u; half > 0u; half = half / 2u) {
    workgroupBarrier();
    if (lane < half) {
      let other = ${name}_values[lane + half];
      ${name}_values[lane] = ${joined(combine, `${name}_values[lane]`, 'other')};
    }
  }
  let result = workgroupUniformLoad(&${name}_values[0]);`

/**
 * One barrier: then each subgroup combines all values for itself. Its threads count themselves, because WebGPU does not tell which
 * threads of a workgroup a subgroup has, nor that all of it are in use.
 */
const bySubgroups = (threads: number, combine: Combine, name: string): string => `  workgroupBarrier();
  let together = subgroupAdd(1u);
  let rank = subgroupExclusiveAdd(1u);
  var part = ${name}_values[rank];
  for (var i = rank + together; i < ${threads}u; i += together) { part = ${joined(combine, 'part', `${name}_values[i]`)}; }
  let result = ${combine === 'add' ? 'subgroupAdd' : 'subgroupMax'}(part);`

/**
 * WGSL of `combined(value, lane)`: the sum or maximum of the values of all threads of a workgroup, given to each of them, in a fixed
 * order: that of a tree or, in a module that enables them, by subgroups. `threads` is a power of two. Every thread must call it;
 * it may be called again at once.
 */
export const treeText = (threads: number, combine: Combine, { name = 'combined', subgroups = false } = {}): string =>
  `var<workgroup> ${name}_values : array<f32, ${threads}>;
fn ${name}(value : f32, lane : u32) -> f32 {
  ${name}_values[lane] = value;
${(subgroups ? bySubgroups : byTree)(threads, combine, name)}
  workgroupBarrier();
  return result;
}`
