import { type Built, paramsBytes } from './pipelines.ts'

/** Bind groups kept; beyond that all are made anew. */
const mostGroups = 8192

export interface BindGroups {
  /** The bind group of these buffers in the order of their bindings, then of the scalar parameters if the shader has them. */
  get(built: Built, buffers: readonly GPUBuffer[], params: GPUBuffer): GPUBindGroup
  /** To be called when a buffer is destroyed. */
  clear(): void
}

/** Bind groups by their buffers: the pool hands out the same ones step after step, and making a group costs more than a look-up. */
export const createBindGroups = (device: GPUDevice): BindGroups => {
  const groups = new Map<string, GPUBindGroup>()
  const numbers = new WeakMap<object, number>()
  let next = 0
  const numberOf = (thing: object): number => {
    let number = numbers.get(thing)
    if (number === undefined) {
      number = next++
      numbers.set(thing, number)
    }
    return number
  }
  const create = ({ layout, hasParams }: Built, buffers: readonly GPUBuffer[], params: GPUBuffer): GPUBindGroup => {
    const entries: GPUBindGroupEntry[] = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }))
    if (hasParams) entries.push({ binding: buffers.length, resource: { buffer: params, size: paramsBytes } })
    return device.createBindGroup({ layout, entries })
  }
  return {
    get(built, buffers, params) {
      let key = `${numberOf(built.layout)}`
      for (const buffer of buffers) key += `,${numberOf(buffer)}`
      if (built.hasParams) key += `;${numberOf(params)}`
      let group = groups.get(key)
      if (!group) {
        if (groups.size >= mostGroups) groups.clear()
        group = create(built, buffers, params)
        groups.set(key, group)
      }
      return group
    },
    clear: () => groups.clear(),
  }
}
