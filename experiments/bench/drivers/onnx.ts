import { type Case, outputSide } from '../cases.ts'
import { fill, meanAbsolute, SEEDS } from '../fill.ts'
import { type OnnxNode, onnxModel } from './onnxModel.ts'
import { contestantName, peerRequire, peerVersion } from './peerModule.ts'
import { serve, type Task } from './task.ts'

interface OnnxTensor {
  readonly data: Float32Array
}

/** The part of onnxruntime that is used. */
interface Onnx {
  readonly env: { readonly wasm: { numThreads: number } }
  readonly Tensor: new (type: 'float32', values: Float32Array, shape: readonly number[]) => OnnxTensor
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Record<string, OnnxTensor>>; release(): Promise<void> }>
  }
}

const onnx: Onnx = peerRequire(contestantName)
const threads = Number(process.env.DBP_THREADS ?? 1)

const taskOf = async (node: OnnxNode, seeds: readonly number[]): Promise<Task> => {
  const session = await onnx.InferenceSession.create(onnxModel(node), {
    executionProviders: [contestantName === 'onnxruntime-web' ? 'wasm' : 'cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Idle threads that spin would slow down whoever is timed next.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
  const feeds = Object.fromEntries(
    Object.entries(node.inputs).map(([name, shape], i) => [
      name,
      new onnx.Tensor(
        'float32',
        fill(
          shape.reduce((size, n) => size * n, 1),
          seeds[i]!,
        ),
        shape,
      ),
    ]),
  )
  return {
    run: () => session.run(feeds),
    checksum: async () => meanAbsolute((await session.run(feeds)).output!.data),
    release: () => void session.release(),
  }
}

/** It infers only, so there are no gradients. */
const prepare = async (work: Case): Promise<Task | null> => {
  if (work.kind === 'matmul') {
    const shape = [work.size, work.size]
    return taskOf({ op: 'MatMul', inputs: { a: shape, b: shape }, output: shape }, [SEEDS.x, SEEDS.y])
  }
  if (work.kind !== 'conv2d' || work.pass !== 'forward') return null
  const { batch, channels, side, kernel, stride } = work
  const padding = Math.floor(kernel / 2)
  const out = outputSide(work)
  const inputs = { x: [batch, channels, side, side], w: [channels, channels, kernel, kernel] }
  const attributes = { pads: new Array<number>(4).fill(padding), strides: [stride, stride] }
  return taskOf({ op: 'Conv', inputs, output: [batch, channels, out, out], attributes }, [SEEDS.x, SEEDS.weight])
}

if (contestantName === 'onnxruntime-web') onnx.env.wasm.numThreads = threads
await serve({ version: peerVersion(contestantName), prepare })
