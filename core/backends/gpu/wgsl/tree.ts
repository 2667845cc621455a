/**
 * WGSL of `combined(value, lane)`: the sum or maximum of the values of all threads of a workgroup, given to each of them, in the
 * fixed order of a tree. `threads` is a power of two. Every thread must call it; it may be called again at once.
 */
export const treeText = (
  threads: number,
  combine: 'add' | 'max',
  name = 'combined',
): string => `var<workgroup> ${name}_values : array<f32, ${threads}>;
fn ${name}(value : f32, lane : u32) -> f32 {
  ${name}_values[lane] = value;
  for (var half = ${threads / 2}u; half > 0u; half = half / 2u) {
    workgroupBarrier();
    if (lane < half) {
      let other = ${name}_values[lane + half];
      ${name}_values[lane] = ${combine === 'add' ? `${name}_values[lane] + other` : `max(${name}_values[lane], other)`};
    }
  }
  let result = workgroupUniformLoad(&${name}_values[0]);
  workgroupBarrier();
  return result;
}`
