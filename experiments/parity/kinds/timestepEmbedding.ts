import { dispose } from '../../../core/index.ts'
import { timestepEmbedding as embed } from '../../../core/nn/index.ts'
import type { Comparison } from '../comparison.ts'
import type { ParityKind } from '../kind.ts'
import { compareWith } from '../tensors.ts'

/** Sinusoidal timestep embeddings: `t` and one expected tensor [t, dim] per dimension, in the convention of DDPM, bit for bit. */
export const timestepEmbedding: ParityKind = {
  name: 'timestep_embedding',
  stem: /^timestep_embedding/,
  run: async golden => {
    const file = golden.get('')
    const t = Array.from(file.get('t').values)
    const comparisons: Comparison[] = []
    for (const name of file.tensorNames.filter(tensor => tensor !== 't' && !tensor.endsWith('64'))) {
      const computed = embed(t, file.get(name).shape[1]!)
      comparisons.push(...(await compareWith(file, name, computed, 'exact')))
      dispose(computed)
    }
    return comparisons
  },
}
