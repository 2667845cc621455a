import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Program } from './client.ts'

/** The name of this project among the contestants. */
export const OURS = 'dbp'

/** As many processes of this project as there are threads, each with one thread and all the work. */
export const PROCESSES = 'processes'

/** All peers, in the order of the table; the first one present is what ratios are against. */
export const PEERS = ['pytorch', 'onnxruntime-node', 'tfjs-wasm', 'onnxruntime-web', 'jax-js', 'tfjs-cpu'] as const

export type Peer = (typeof PEERS)[number]
export type ContestantName = typeof OURS | Peer

/** Peers that can use several threads on the cpu in Node; the others take part with one. */
const THREADED: readonly ContestantName[] = [OURS, 'pytorch', 'onnxruntime-node', 'onnxruntime-web']

export const canUseThreads = (name: ContestantName): boolean => THREADED.includes(name)

/** Exact versions, installed into a folder of their own. */
export const PEER_PACKAGES: Readonly<Record<string, string>> = {
  '@jax-js/jax': '0.1.25',
  '@tensorflow/tfjs': '4.22.0',
  '@tensorflow/tfjs-backend-wasm': '4.22.0',
  'onnxruntime-node': '1.30.0',
  'onnxruntime-web': '1.30.0',
}

const driver = (file: string): string => fileURLToPath(new URL(`./drivers/${file}`, import.meta.url))

/** The first Python that has torch. */
export const findPython = (candidates: readonly string[] = ['python3', '/usr/bin/python3']): string | undefined =>
  candidates.find(python => {
    try {
      execFileSync(python, ['-c', 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })

const node = (file: string, env: Readonly<Record<string, string>>): Program => ({
  command: process.execPath,
  args: ['--import', import.meta.resolve('tsx'), driver(file)],
  env,
})

export interface ProgramOptions {
  readonly threads: number
  /** Where the peers' packages are. */
  readonly peers: string
  /** A Python with torch. */
  readonly python: string | undefined
  /** What this project computes on. */
  readonly backend: string
}

/** How to start a contestant; undefined for PyTorch without a Python that has it. */
export const programOf = (name: ContestantName, { threads, peers, python, backend }: ProgramOptions): Program | undefined => {
  if (name === 'pytorch') {
    // A BLAS with threads of its own does not hear of torch.set_num_threads.
    const env = { OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads), PYTHONDONTWRITEBYTECODE: '1' }
    return python === undefined ? undefined : { command: python, args: [driver('pytorch.py'), String(threads)], env }
  }
  const env = { DBP_THREADS: String(threads), BENCH_CONTESTANT: name, BENCH_PEERS: peers }
  if (name === OURS) return node('dbp.ts', { ...env, BENCH_BACKEND: backend })
  return node(name.startsWith('tfjs') ? 'tfjs.ts' : name.startsWith('onnx') ? 'onnx.ts' : 'jaxJs.ts', env)
}
