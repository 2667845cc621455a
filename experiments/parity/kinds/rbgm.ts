import { rbgm as map } from '../../../algorithms/training/rbgm.ts'
import { dispose, tensor } from '../../../core/index.ts'
import type { Comparison } from '../comparison.ts'
import type { ParityKind } from '../kind.ts'
import { compareWith, upload } from '../tensors.ts'

/**
 * Rank-based Gaussian mapping of E8: `grad`, `noise` and `delta`, which must agree bit for bit, and the ranks of `grad`,
 * which are what it maps to where the noise is 0, 1, 2, ... A prefix such as `small_` makes a further case.
 */
export const rbgm: ParityKind = {
  name: 'rbgm',
  stem: /^rbgm/,
  run: async golden => {
    const file = golden.get('')
    const comparisons: Comparison[] = []
    for (const prefix of file.tensorNames.filter(name => name.endsWith('grad')).map(name => name.slice(0, -'grad'.length))) {
      const gradient = upload(file.get(`${prefix}grad`))
      const noise = upload(file.get(`${prefix}noise`))
      const area = gradient.shape[2]! * gradient.shape[3]!
      const counting = tensor(
        Float32Array.from({ length: gradient.size }, (_, i) => i % area),
        gradient.shape,
      )
      const tieBreak = new Float64Array(gradient.size)
      const mapped = await map(gradient, noise, { tieBreak })
      const ranks = await map(gradient, counting, { tieBreak })
      comparisons.push(...(await compareWith(file, `${prefix}delta`, mapped, 'exact')))
      comparisons.push(...(await compareWith(file, `${prefix}rank`, ranks, 'exact')))
      dispose([gradient, noise, counting, mapped, ranks])
    }
    return comparisons
  },
}
