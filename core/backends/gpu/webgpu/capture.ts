import type { CapturedArrays, DeviceArray, Origin } from '../device.ts'
import { createArena } from './arena.ts'
import type { BindGroups } from './bindGroups.ts'
import type { CommandQueue } from './commandQueue.ts'
import type { Command, Dispatch, WebgpuArray } from './commands.ts'
import type { BufferMaker } from './memory.ts'
import { record } from './recorded.ts'

/** While a step is recorded: where its arrays lie, and what it dispatches. */
export interface Recording {
  readonly arena: ReturnType<typeof createArena>
  readonly dispatches: Dispatch[]
}

/** What a capture needs of the device. */
export interface CaptureHost {
  readonly device: GPUDevice
  /** What makes its buffers. */
  readonly memory: BufferMaker
  readonly bindGroups: BindGroups
  readonly queue: CommandQueue
  setRecording(recording: Recording | undefined): void
  allocate(length: number, origin: Origin, forHost?: boolean): WebgpuArray
}

/** @throws Error when a command cannot be replayed */
export const noteCommand = ({ arena, dispatches }: Recording, command: Command): void => {
  if (command.kind !== 'dispatch') {
    throw new Error(
      'capture: a step of the host or a read cannot be replayed; read after the step, and leave ops without a kernel out of it',
    )
  }
  if (command.inputs.some(input => input.source !== arena)) {
    throw new Error(`${command.origin.description}: capture: it reads an array from outside the step; give that to the step as an input`)
  }
  dispatches.push(command)
}

/** Runs `body` once on copies of the inputs, noting what it dispatches. The copies are made again only for inputs that change. */
export const captureArrays = async (
  { device, memory, bindGroups, queue, setRecording, allocate }: CaptureHost,
  inputs: readonly DeviceArray[],
  body: (inputs: readonly DeviceArray[]) => readonly DeviceArray[],
): Promise<CapturedArrays> => {
  const arena = createArena(memory)
  const recording: Recording = { arena, dispatches: [] }
  const origin = { description: 'capture', created: new Error() }
  const given = inputs as readonly WebgpuArray[]
  const runOnce = () => {
    setRecording(recording)
    try {
      // From the host's side of the arena: they keep their values through a replay, whatever the step frees.
      const copies = given.map(({ length }) => allocate(length, origin, true))
      queue.add({ kind: 'copies', copies: given.map((from, i) => ({ from, to: copies[i]! })) })
      const results = body(copies) as readonly WebgpuArray[]
      const outside = results.findIndex(({ source }) => source !== arena)
      if (outside >= 0)
        throw new Error(`capture: result ${outside} is from outside the step; leave it out, or give it to the step as an input`)
      return { copies, results }
    } finally {
      // At once: what others ask for while this waits is no part of the step.
      setRecording(undefined)
    }
  }
  const destroyArena = async (): Promise<void> => {
    await queue.flush()
    arena.destroy()
    bindGroups.clear()
  }
  const runAndCheck = async () => {
    const { copies, results } = runOnce()
    await queue.flush()
    await queue.checked()
    const arrays = [...copies, ...recording.dispatches.flatMap(({ outputs }) => outputs), ...results]
    const failure = arrays.find(array => array.failure)?.failure
    if (failure) throw failure
    return { copies, results }
  }
  const { copies, results } = await runAndCheck().catch(async (error: Error) => {
    await destroyArena()
    throw error
  })
  const recorded = record(device, bindGroups, recording.dispatches)
  let last = given
  return {
    bytes: arena.bytes,
    dispatches: recorded.steps.length,
    run(next) {
      const now = next as readonly WebgpuArray[]
      const changed = now.flatMap((from, i) => (from === last[i] && !copies[i]!.failure ? [] : [{ from, to: copies[i]! }]))
      const outputs = results.map(({ length }) => allocate(length, origin))
      if (changed.length > 0) queue.add({ kind: 'copies', copies: changed })
      queue.add({ kind: 'replay', recorded, inputs: copies, results })
      queue.add({ kind: 'copies', copies: results.map((from, i) => ({ from, to: outputs[i]! })) })
      last = now
      return outputs
    },
    destroy: () => void destroyArena().then(recorded.destroy),
  }
}
