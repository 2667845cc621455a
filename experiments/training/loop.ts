import { existsSync } from 'node:fs'
import { dispose, type Tensor, type Tree, tensor } from '../../core/index.ts'
import { FileError } from '../../core/io/fileError.ts'
import type { HostTensor } from '../../core/io/hostTensor.ts'
import { loadState, saveState } from '../support/checkpoint.ts'
import { UserError } from '../support/errors.ts'
import type { Interrupt } from '../support/interrupt.ts'
import type { Progress } from '../support/progress.ts'

/** Everything a training changes: parameters, optimizer state, averages. A tree of tensors, and step counters. */
export type Trainee = { readonly [part: string]: Tree | Trainee | number }

/** A training from scratch or from given parameters, as a sequence of steps that depend on the step's number alone. */
export interface TrainingJob<T extends Trainee> {
  /** Name of the weights it makes. */
  readonly name: string
  readonly steps: number
  /** What decides its result; a checkpoint of other settings is refused. */
  readonly settings: Readonly<Record<string, unknown>>
  init(): T
  /** The next trainee and the loss. The old trainee is freed by the loop. */
  step(trainee: T, index: number): Promise<{ readonly next: T; readonly loss: Tensor }>
}

export interface LoopOptions {
  /** Where the checkpoint is kept between sessions. */
  readonly checkpoint: string
  readonly every?: number
  readonly progress: Progress
  readonly interrupt: Pick<Interrupt, 'afterUnit'>
}

interface CheckpointMeta {
  readonly step: number
  readonly settings: string
}

/**
 * Runs a job to its end, continuing from its checkpoint if there is one. A stop that was asked for costs no step and a
 * killed process at most `every`; a resumed training ends with the same bits as an uninterrupted one: all randomness is
 * named by the step.
 * @throws UserError when the checkpoint belongs to other settings, or the loss is not finite; FileError when the checkpoint
 *   is damaged or cannot be written
 */
export const runTraining = async <T extends Trainee>(
  job: TrainingJob<T>,
  { checkpoint, every = 50, progress, interrupt }: LoopOptions,
): Promise<T> => {
  const settings = JSON.stringify({ name: job.name, steps: job.steps, ...job.settings })
  let trainee = job.init()
  let done = 0
  if (existsSync(checkpoint)) {
    const { tensors, meta } = loadState(checkpoint)
    const { step, settings: before } = meta as unknown as CheckpointMeta
    if (before !== settings)
      throw new UserError(`${checkpoint} was made with other settings (${before})`, 'delete it, or train with --out elsewhere')
    const restored = restore(trainee, tensors, { step, checkpoint })
    dispose(trainee)
    trainee = restored
    done = step
    progress.advance(step)
  }
  let recent = 0
  for (let index = done; index < job.steps; index++) {
    const { next, loss } = await job.step(trainee, index)
    const value = await loss.item()
    loss.dispose()
    if (!Number.isFinite(value))
      throw new UserError(`training ${job.name}: the loss is ${value} at step ${index}`, 'lower the learning rate')
    dispose(trainee)
    trainee = next
    recent = index === done ? value : 0.95 * recent + 0.05 * value
    progress.advance(1, `${job.name} loss ${recent.toFixed(4)}`)
    const keep = () => save(checkpoint, trainee, { step: index + 1, settings })
    const due = (index + 1) % every === 0 || index + 1 === job.steps
    if (due) await keep()
    try {
      await interrupt.afterUnit()
    } catch (stop) {
      if (!due) await keep()
      throw stop
    }
  }
  return trainee
}

const joined = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`)

/** The tensors of a tree under their paths. */
const entries = (tree: Tree | Trainee | number, path: string): [string, Tensor][] => {
  if (typeof tree === 'number') return []
  if (isTensor(tree)) return [[path, tree]]
  return Object.entries(tree).flatMap(([name, part]) => entries(part as Tree, joined(path, name)))
}

const isTensor = (value: unknown): value is Tensor => typeof value === 'object' && value !== null && 'storage' in value

const fileType = { float32: 'F32', float64: 'F64', int32: 'I32' } as const

const save = async (path: string, trainee: Trainee, meta: CheckpointMeta): Promise<void> => {
  const tensors: Record<string, HostTensor> = {}
  for (const [name, t] of entries(trainee, '')) {
    const values = await t.data()
    tensors[name] = { dtype: fileType[t.dtype], shape: [...t.shape], values }
  }
  saveState(path, { tensors, meta })
}

/** The tree with every tensor replaced by the saved one of its path, and every counter set to the step. */
const restore = <T extends Trainee>(
  like: T,
  saved: Readonly<Record<string, HostTensor>>,
  { step, checkpoint }: { readonly step: number; readonly checkpoint: string },
): T => {
  const visit = (tree: Tree | Trainee | number, path: string): unknown => {
    if (typeof tree === 'number') return step
    if (isTensor(tree)) {
      const found = saved[path]
      if (!found) throw new FileError(checkpoint, `tensor "${path}" is missing`, 'delete the file to start again')
      if (found.dtype !== fileType[tree.dtype])
        throw new UserError(
          `${checkpoint} was made on a backend of another precision (${found.dtype} instead of ${fileType[tree.dtype]})`,
          'go on with the --backend it was begun with',
        )
      return tensor(found.values, found.shape, { dtype: tree.dtype === 'int32' ? 'int32' : 'float' })
    }
    if (Array.isArray(tree)) return tree.map((part, i) => visit(part, joined(path, String(i))))
    return Object.fromEntries(Object.entries(tree).map(([name, part]) => [name, visit(part as Tree, joined(path, name))]))
  }
  return visit(like, '') as T
}
