import { describe, expect, it } from 'vitest'
import { createCpu } from '../../core/backends/cpu/cpu.ts'
import { chromeTrace } from '../../core/backends/profile/chromeTrace.ts'
import { flopsOf } from '../../core/backends/profile/flops.ts'
import { createRecorder, mergeRows, type Phase, type Profile } from '../../core/backends/profile/profile.ts'
import { FUSED, profiled } from '../../core/backends/profile/profiled.ts'
import { createFakeAsync, createReference } from '../../core/backends/reference/reference.ts'
import { add, input, mul } from '../../core/expr/expr.ts'
import { type Backend, checkpoint, dispose, grad, ops, type Tensor, tensor, tidy, withBackend } from '../../core/index.ts'
import { forEachTap } from '../../core/ops/conv2d.ts'

const values = (shape: readonly number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
    shape,
  )

const profileOf = (backend: Backend, body: () => void): Profile => {
  const recorder = createRecorder()
  withBackend(profiled(backend, recorder), () => tidy(body))
  return recorder.take(backend.memory().bytesPeak)
}

const callsOf = (profile: Profile): Record<string, number> =>
  Object.fromEntries(profile.rows.filter(row => row.phase !== 'memory').map(row => [`${row.name} ${row.phase}`, row.calls]))

describe('the profiler', () => {
  it('should count the floating-point operations of convolutions in all three directions, and of matrix products', () => {
    const attributes = { stride: [2, 1], padding: [0, 0, 0, 0], groups: 2 } as const
    const [x, w, y] = [
      [2, 4, 7, 6],
      [6, 2, 3, 2],
      [2, 6, 3, 5],
    ]
    let taps = 0
    forEachTap(x!, w!, attributes, () => taps++)
    const flops = (name: string, inputs: number[][], output: number[]) => flopsOf({ op: { name }, inputs, attributes, output })
    expect(flops('conv2d', [x!, w!], y!)).toBe(2 * taps)
    expect(flops('conv2dInputGrad', [y!, w!], x!)).toBe(2 * taps)
    expect(flops('conv2dWeightGrad', [x!, y!], w!)).toBe(2 * taps)
    for (const transposeA of [false, true]) {
      const a = transposeA ? [4, 5, 3] : [4, 3, 5]
      const matmul = { op: { name: 'matmul' }, inputs: [a, [4, 5, 2]], attributes: { transposeA, transposeB: false }, output: [4, 3, 2] }
      expect(flopsOf(matmul)).toBe(2 * 4 * 3 * 5 * 2)
    }
  })

  it.each([
    ['cpu', createCpu],
    ['reference', createReference],
  ] as const)('should change no bit on %s', (_, create) => {
    const compute = (x: Tensor): Tensor => grad((t: Tensor) => ops.softmax(t.mul(t).add(1).matmul(x)).square().sum())(x)
    const numbers = (backend: Backend) => withBackend(backend, () => tidy(() => Array.from(compute(values([64, 64])).dataSync())))
    const plain = create()
    const measured = create()
    expect(numbers(profiled(measured, createRecorder()))).toEqual(numbers(plain))
    expect(measured.memory()).toEqual(plain.memory())
  })

  it('should count the time of an op until it is computed, where the caller may go on before', () => {
    const milliseconds = 20
    const late: Backend = Object.assign(Object.create(createCpu()) as Backend, {
      finish() {
        const end = performance.now() + milliseconds
        while (performance.now() < end);
      },
    })
    const { rows } = profileOf(late, () => {
      const x = values([3, 3])
      x.matmul(x)
      const large = values([300, 300])
      large.mul(2).dataSync()
    })
    for (const name of ['matmul', FUSED]) expect(rows.find(row => row.name === name)!.milliseconds).toBeGreaterThanOrEqual(milliseconds)
  })

  it('should tell forward passes, also those of a checkpoint, from gradients', () => {
    const loss = (x: Tensor): Tensor => checkpoint((a: Tensor) => ops.softmax(a))(x).sum()
    const calls = callsOf(profileOf(createCpu(), () => dispose(grad(loss)(values([3, 5])))))
    expect(calls).toMatchObject({ 'softmax forward': 2, 'softmaxInputGrad gradient': 1, 'sum forward': 1, 'broadcastTo gradient': 1 })
    expect(calls).not.toHaveProperty('softmax gradient')
  })

  it('should charge the passes of deferred ops to themselves', () => {
    const size = 64 * 64
    const profile = profileOf(createCpu(), () => {
      const x = values([64, 64])
      ops.softmax(x.mul(2).add(x))
    })
    expect(callsOf(profile)).toEqual({ 'elementwise forward': 2, [`${FUSED} forward`]: 1, 'softmax forward': 1 })
    const bytes = Object.fromEntries(profile.rows.map(row => [row.name, row.bytes]))
    expect(bytes).toMatchObject({ elementwise: 0, [FUSED]: 8 * size, softmax: 8 * size, upload: 4 * size })
    expect(profile.rows.find(row => row.name === 'elementwise')!.flops).toBe(2 * size)
    expect(profile.rows.find(row => row.name === 'softmax')!.milliseconds).toBeGreaterThan(0)
    expect(profile.bytesPeak).toBe(12 * size)
  })

  it('should count once a pass that has several results, and all that it writes', () => {
    const size = 64 * 64
    const profile = profileOf(createCpu(), () => {
      const x = values([64, 64])
      const [double, square] = ops.elementwiseAll([x], { exprs: [add(input(0), input(0)), mul(input(0), input(0))], params: [] })
      ops.softmax(double!)
      ops.softmax(square!)
    })
    expect(callsOf(profile)).toEqual({ 'elementwise forward': 1, [`${FUSED} forward`]: 1, 'softmax forward': 2 })
    expect(Object.fromEntries(profile.rows.map(row => [row.name, row.bytes]))).toMatchObject({ elementwise: 0, [FUSED]: 12 * size })
    expect(profile.rows.find(row => row.name === 'elementwise')!.flops).toBe(2 * size)
  })

  it('should see a pass within an op that cannot take its operand in', () => {
    const profile = profileOf(createCpu(), () => {
      const x = values([64, 64])
      ops.softmax(x.exp().add(1))
    })
    expect(callsOf(profile)).toMatchObject({ 'elementwise forward': 2, [`${FUSED} forward`]: 2 })
  })

  it('should refuse a backend that only enqueues', () => {
    expect(() => profiled(createFakeAsync(), createRecorder())).toThrow(/asynchronous/)
  })

  it('should keep sums of all calls and only the first events, and add the rows of processes', () => {
    const recorder = createRecorder({ maximumEvents: 2 })
    const call = { name: 'sum', phase: 'forward' as Phase, start: 1, duration: 2000, detail: '', flops: 3, bytes: 4, calls: 1 }
    for (let i = 0; i < 5; i++) recorder.record(call)
    const profile = recorder.take(7)
    expect(profile).toMatchObject({ eventsLeftOut: 3, bytesPeak: 7 })
    expect(profile.events).toHaveLength(2)
    expect(recorder.take(7).rows).toEqual([])
    recorder.record({ ...call, name: 'max', duration: 50_000 })
    expect(mergeRows([profile, profile, recorder.take(7)])).toEqual([
      { name: 'max', phase: 'forward', calls: 1, milliseconds: 50, flops: 3, bytes: 4 },
      { name: 'sum', phase: 'forward', calls: 10, milliseconds: 20, flops: 30, bytes: 40 },
    ])
  })

  it('should write a trace of complete events on one time line', () => {
    const event = { name: 'sum', phase: 'gradient' as Phase, duration: 5, detail: '[2] -> [1]' }
    const profile = { rows: [], eventsLeftOut: 0, bytesPeak: 0 }
    const text = [
      ...chromeTrace([
        { ...profile, process: 1, events: [{ ...event, start: 110 }] },
        { ...profile, process: 2, events: [{ ...event, start: 100 }] },
      ]),
    ].join('')
    const { traceEvents } = JSON.parse(text) as { traceEvents: Record<string, unknown>[] }
    expect(traceEvents.filter(({ ph }) => ph === 'X')).toEqual([
      { ph: 'X', name: 'sum', cat: 'gradient', pid: 1, tid: 2, ts: 10, dur: 5, args: { shapes: '[2] -> [1]' } },
      { ph: 'X', name: 'sum', cat: 'gradient', pid: 2, tid: 2, ts: 0, dur: 5, args: { shapes: '[2] -> [1]' } },
    ])
    expect(traceEvents.filter(({ ph }) => ph === 'M')).toHaveLength(6)
    expect(JSON.parse([...chromeTrace([])].join(''))).toMatchObject({ traceEvents: [] })
  })
})
