import type { Shape, Tensor } from '../../../core/index.ts'
import {
  conv2dLayer,
  convShapes,
  type DropoutKey,
  groupNormLayer,
  normShapes,
  type ParameterShapes,
  type Scope,
} from '../../../core/nn/index.ts'

/** What every layer of one forward pass shares. */
export interface NcsnppRun {
  readonly parameters: Scope
  /** silu of the noise-level embedding, [batch, 4 nf]; absent in an unconditional network. */
  readonly timeFeatures: Tensor | undefined
  /** Present in training; each layer folds its own name into it. */
  readonly dropoutKey: DropoutKey | undefined
}

/** A layer that knows its own parameters by their number. */
export type Layer = (x: Tensor, run: NcsnppRun) => Tensor

/** What one module adds to the network: parameters under its number, and the initial scale of those that do not have scale 1. */
export interface ModuleParameters {
  readonly shapes: (name: string) => ParameterShapes
  readonly scales?: Readonly<Record<string, number>>
}

/**
 * The origin keeps its layers in one flat list and names parameters by position, so networks are built in that order:
 * `add` takes the next number and gives the module's parameters within a run.
 */
export interface ModuleList {
  readonly shapes: Readonly<Record<string, Shape>>
  /** Initial scales by parameter name. */
  readonly scales: Readonly<Record<string, number>>
  add(module: ModuleParameters): (run: NcsnppRun) => Scope
}

export const createModuleList = (): ModuleList => {
  const shapes: Record<string, Shape> = {}
  const scales: Record<string, number> = {}
  let count = 0
  return {
    shapes,
    scales,
    add: module => {
      const name = `all_modules.${count++}`
      Object.assign(shapes, module.shapes(name))
      for (const [parameter, scale] of Object.entries(module.scales ?? {})) scales[`${name}.${parameter}`] = scale
      return run => run.parameters.at(name)
    },
  }
}

/** Group norm of the origin: groups of four channels, at most 32 groups. */
export const norm = (x: Tensor, layer: Scope, { silu }: { readonly silu: boolean }): Tensor =>
  groupNormLayer(x, layer, { groups: Math.min(Math.floor(x.shape[1]! / 4), 32), epsilon: 1e-6, silu })

/** A 3x3 convolution that keeps the size. */
export const convolution = (
  modules: ModuleList,
  { inputs, outputs, scale }: { readonly inputs: number; readonly outputs: number; readonly scale?: number },
): Layer => {
  const scales: ModuleParameters['scales'] = scale === undefined ? {} : { weight: scale }
  const own = modules.add({ shapes: name => convShapes(name, inputs, outputs, { kernel: 3 }), scales })
  return (x, run) => conv2dLayer(x, own(run))
}

/** Group norm, silu and a 3x3 convolution: two modules. */
export const normConvolution = (
  modules: ModuleList,
  o: { readonly inputs: number; readonly outputs: number; readonly scale?: number },
): Layer => {
  const own = modules.add({ shapes: name => normShapes(name, o.inputs) })
  const convolve = convolution(modules, o)
  return (x, run) => convolve(norm(x, own(run), { silu: true }), run)
}
