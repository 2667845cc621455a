import { beforeAll, describe, expect, it } from 'vitest'
import {
  type Backend,
  getBackend,
  loadBackend,
  ops,
  setBackend,
  type Tensor,
  tensor,
  useBackend,
  valueAndGrad,
} from '../../../core/index.ts'
import type { HostTensor } from '../../../core/io/hostTensor.ts'
import { normal } from '../../../core/random/distributions.ts'
import { key } from '../../../core/random/key.ts'
import type { Comparison } from '../../../experiments/parity/comparison.ts'
import { asOrigin, compareAsOrigin, withFloat32Softmax } from '../../../experiments/parity/float32Softmax.ts'
import { givenDraws } from '../../../experiments/parity/givenDraws.ts'
import type { GoldenFile } from '../../../experiments/parity/goldenFolder.ts'
import { compareNudged } from '../../../experiments/parity/nudged.ts'
import { shareDiffering } from '../../../experiments/parity/shareDiffering.ts'

const host = (values: readonly number[], dtype: 'F32' | 'F64' = 'F32'): HostTensor => ({
  dtype,
  shape: [values.length],
  values: dtype === 'F32' ? Float32Array.from(values) : Float64Array.from(values),
})

const comparison = (actual: number, expected: number, dtype: 'F32' | 'F64' = 'F32'): Comparison => ({
  file: 'file',
  tensor: 'tensor',
  quantity: 'gradient',
  actual: { shape: [1], values: [actual] },
  expected: host([expected], dtype),
})

let reference: Backend
beforeAll(async () => {
  reference = await loadBackend('reference')
})

describe('the origin softmax', () => {
  const values = Array.from(normal(key(3), 3 * 19))
  const evaluate = async (backend: Backend): Promise<number[][]> => {
    setBackend(backend)
    const weights = tensor(normal(key(4), 3 * 19), [3, 19])
    const { gradient, aux } = valueAndGrad((x: Tensor) => {
      const shares = ops.softmax(x)
      return [shares.mul(weights).sum(), shares] as const
    })(tensor(values, [3, 19]))
    return [Array.from(await aux.data()), Array.from(await gradient.data())]
  }

  it('should be the float32 neighbour of ours, in its values and its gradient', async () => {
    const [ours, theirs] = [await evaluate(reference), await evaluate(withFloat32Softmax(reference))]
    const flat = ours.flat()
    theirs.flat().forEach((value, i) => {
      expect(Math.fround(value)).toBe(value)
      expect(Math.abs(value - flat[i]!)).toBeLessThan(3e-7)
    })
    expect(theirs).not.toEqual(ours)
  })

  it('should leave every other operation alone', async () => {
    setBackend(withFloat32Softmax(reference))
    expect(Array.from(await tensor(values, [57]).exp().data())).toEqual(values.map(Math.exp))
  })

  it('should serve the float64 references alone, and give the backend back', async () => {
    setBackend(reference)
    const compare = async () => [
      comparison(getBackend() === reference ? 1 : 2, 0, 'F64'),
      comparison(getBackend() === reference ? 1 : 2, 0),
    ]
    expect((await compareAsOrigin(compare)).map(row => row.actual.values[0])).toEqual([2, 1])
    await expect(asOrigin(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(getBackend()).toBe(reference)
    const cpu = await useBackend('cpu')
    expect(await asOrigin(async () => getBackend())).toBe(cpu)
  })
})

describe('givenDraws', () => {
  const draws = givenDraws(2, ({ source, attackStep, diffusionStep, part }) =>
    source === 'forward' && part === '' ? [attackStep, diffusionStep, 3, 4] : source === 'timestep' ? [7, 9] : undefined,
  )

  it('should give what is recorded under the whole name', async () => {
    await useBackend('reference')
    const drawn = draws.at({ attackStep: 5 }).normal('forward', [2], { diffusionStep: 6 })
    expect(drawn.shape).toEqual([2, 2])
    expect(Array.from(await drawn.data())).toEqual([5, 6, 3, 4])
    expect(Array.from(draws.uniformValues('forward', [2]))).toEqual([0, 0, 3, 4])
    expect(Array.from(draws.integers('timestep', { low: 0, high: 10 }))).toEqual([7, 9])
    expect(draws.images).toEqual([0, 1])
  })

  it('should refuse whatever is not recorded', () => {
    expect(() => draws.normal('reverse', [2])).toThrow(/needs 4 values for .*"reverse".*, got none; /)
    expect(() => draws.normal('forward', [3])).toThrow('needs 6 values')
    expect(() => draws.key('forward', 0)).toThrow('a key is not available')
    expect(() => draws.forImages([3])).toThrow('another batch is not available')
  })
})

describe('shareDiffering', () => {
  const share = async (values: number[], expected: number[]): Promise<number | undefined> => {
    await useBackend('reference')
    const file = { name: 'file', find: () => host(expected) } as Partial<GoldenFile> as GoldenFile
    return (await shareDiffering(file, 'delta', tensor(values, [values.length])))[0]?.actual.values[0]
  }

  it('should count the elements that are further off than a hundredth of the largest', async () => {
    expect(await share([4, 2, 1, 0], [4, 2.03, 1, -0.03])).toBe(0)
    expect(await share([4, 2, 1, 0], [4, -2, 1.05, 0])).toBe(0.5)
    expect(await share([4, Number.NaN], [4, 2])).toBe(0.5)
    expect(await share([4], [4, 2])).toBe(1)
  })
})

describe('compareNudged', () => {
  it('should take the first input near the recorded one at which the derivative agrees', async () => {
    await useBackend('reference')
    // The derivative of |x| where the recorded x is 0 to rounding and the origin went the other way.
    const rows = await compareNudged(async nudge => [comparison(Math.sign(2e-6 - nudge), -1)])
    expect(rows.map(row => [row.actual.values[0], row.tensor])).toEqual([[-1, 'tensor (input + 0.000003)']])
    const direct = await compareNudged(async nudge => [comparison(Math.sign(nudge - 1), -1)])
    expect(direct[0]!.tensor).toBe('tensor')
  })

  it('should report the recorded input where none agrees', async () => {
    await useBackend('reference')
    const rows = await compareNudged(async nudge => [comparison(nudge, -1)])
    expect(rows).toEqual([comparison(0, -1)])
  })
})
