import type { MemoryBudget } from '../memoryBudget.ts'
import { InertRecord, kindOf, type PickleDict, type PickleValue } from './pickleValue.ts'
import { TorchTensor } from './torchTensor.ts'

/** What a `torch.nn.Module` keeps of its own. */
interface ModuleState {
  readonly parameters: PickleDict
  readonly buffers: PickleDict
  readonly modules: PickleDict
  /** Names of buffers that a state dict leaves out. */
  readonly transient: ReadonlySet<PickleValue>
}

const MAX_DEPTH = 100

const joined = (prefix: string, name: PickleValue): string => {
  if (typeof name !== 'string') throw new RangeError(`a name below "${prefix}" is ${kindOf(name)}`)
  return prefix + name
}

/** The fields of a module that was pickled whole; null when the value is no module. */
const moduleState = (value: PickleValue | undefined): ModuleState | null => {
  if (!(value instanceof InertRecord) || !(value.state instanceof Map)) return null
  const [parameters, buffers, modules] = ['_parameters', '_buffers', '_modules'].map(name => (value.state as PickleDict).get(name))
  if (!(parameters instanceof Map && buffers instanceof Map && modules instanceof Map)) return null
  const transient = value.state.get('_non_persistent_buffers_set')
  return { parameters, buffers, modules, transient: transient instanceof Set ? transient : new Set() }
}

export const isModule = (value: PickleValue | undefined): value is InertRecord => moduleState(value) !== null

/**
 * The state dict of a module that was pickled whole, from its data: parameters, then persistent buffers, then those of
 * its modules in order, names joined by dots, as `Module.state_dict` gives them.
 *
 * @throws RangeError when the data is not that of a module, two tensors have one name, or modules contain themselves
 */
export const moduleTensors = (module: InertRecord, budget: MemoryBudget): Map<string, TorchTensor> => {
  const tensors = new Map<string, TorchTensor>()
  const add = (prefix: string, dict: PickleDict, left: ReadonlySet<PickleValue>): void => {
    for (const [name, tensor] of dict) {
      if (tensor === null || left.has(name)) continue
      const path = joined(prefix, name)
      if (!(tensor instanceof TorchTensor)) throw new RangeError(`${path} is ${kindOf(tensor)}, no tensor`)
      if (tensors.has(path)) throw new RangeError(`the module has two tensors ${JSON.stringify(path)}`)
      budget.spend(128 + 2 * prefix.length, 'the names of the tensors')
      tensors.set(path, tensor)
    }
  }
  const visit = (prefix: string, value: PickleValue, depth: number): void => {
    const state = moduleState(value)
    if (!state) throw new RangeError(`${prefix.slice(0, -1)} is ${kindOf(value)}, no module`)
    if (depth > MAX_DEPTH) throw new RangeError(`modules are nested more than ${MAX_DEPTH} deep`)
    budget.spend(128 + 2 * prefix.length, 'the names of the modules')
    add(prefix, state.parameters, new Set())
    add(prefix, state.buffers, state.transient)
    for (const [name, child] of state.modules) if (child !== null) visit(`${joined(prefix, name)}.`, child, depth + 1)
  }
  visit('', module, 0)
  return tensors
}
