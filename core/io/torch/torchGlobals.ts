import type { HostDtype } from '../hostTensor.ts'
import type { MemoryBudget } from '../memoryBudget.ts'
import { containerGlobals } from './containerGlobals.ts'
import { InertRecord, PickleGlobal, type PickleValue } from './pickleValue.ts'
import { TorchTensor, tensorOn } from './torchTensor.ts'

/** The storage classes of PyTorch by the dtype of their elements. */
const STORAGE_CLASSES: Readonly<Record<string, HostDtype>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
}

const STORAGE_DTYPES: ReadonlyMap<string, HostDtype> = new Map(
  ['torch', 'torch.cuda'].flatMap(module => Object.entries(STORAGE_CLASSES).map(([name, dtype]) => [`${module}.${name}`, dtype] as const)),
)

/** The dtype of a storage class; undefined when the value is none. */
export const storageDtype = (value: PickleValue | undefined): HostDtype | undefined =>
  value instanceof PickleGlobal ? STORAGE_DTYPES.get(value.name) : undefined

const rebuildTensor = (args: readonly PickleValue[]): TorchTensor => tensorOn(args[0], args[1], args[2], args[3])

/** (storage, offset, shape, strides, requires_grad, backward_hooks, metadata); metadata marks lazy negation and conjugation. */
const rebuildTensorV2 = (args: readonly PickleValue[]): TorchTensor => {
  const metadata = args[6] ?? null
  if (metadata !== null && !(metadata instanceof Map && metadata.size === 0)) {
    throw new RangeError('a tensor is marked as lazily negated or conjugated')
  }
  return rebuildTensor(args)
}

/** (data, requires_grad, backward_hooks[, state]): of a parameter only its values matter here. */
const rebuildParameter = (args: readonly PickleValue[]): TorchTensor => {
  const [data] = args
  if (!(data instanceof TorchTensor)) throw new RangeError('a parameter has no tensor')
  return data
}

const storageClass = (name: string): PickleGlobal =>
  new PickleGlobal(name, () => {
    throw new RangeError(`${name} is called`)
  })

/**
 * Looks up the classes and functions of a checkpoint. Known are containers, tensors and storages; the rest is refused
 * by name, or with `inert` kept as data without any behaviour.
 */
export const torchGlobals = (budget: MemoryBudget, inert: boolean): ((module: string, name: string) => PickleGlobal) => {
  const known = new Map(
    [
      ...containerGlobals(budget),
      new PickleGlobal('torch._utils._rebuild_tensor', rebuildTensor),
      new PickleGlobal('torch._utils._rebuild_tensor_v2', rebuildTensorV2),
      new PickleGlobal('torch._utils._rebuild_parameter', rebuildParameter),
      new PickleGlobal('torch._utils._rebuild_parameter_with_state', rebuildParameter),
      ...[...STORAGE_DTYPES.keys()].map(storageClass),
    ].map(global => [global.name, global]),
  )
  return (module, name) => {
    const fullName = `${module}.${name}`
    const global = known.get(fullName)
    if (global) return global
    if (!inert) throw new RangeError(`it asks for ${JSON.stringify(fullName).slice(0, 200)}, which is no tensor, container or number`)
    return new PickleGlobal(fullName, args => new InertRecord(fullName, args))
  }
}
