import { conv2dLayer, convShapes, upsampleNearest2x } from '../../../core/nn/index.ts'
import { downsampleConvFir, downsampleFir, upsampleConvFir, upsampleFir } from '../firResample.ts'
import { type NcsnppConfig, tapsOf } from './config.ts'
import type { Layer, ModuleList } from './modules.ts'

interface ResamplingOptions {
  readonly inputs: number
  readonly outputs: number
  /** Whether a 3x3 convolution belongs to it. */
  readonly convolve: boolean
}

const parametersOf = (modules: ModuleList, config: NcsnppConfig, { inputs, outputs, convolve }: ResamplingOptions) => {
  const layer = config.fir ? 'Conv2d_0' : 'Conv_0'
  const own = modules.add({ shapes: name => (convolve ? convShapes(`${name}.${layer}`, inputs, outputs, { kernel: 3 }) : {}) })
  return (run: Parameters<typeof own>[0]) => own(run).at(layer)
}

/** A module that halves the size; without filter its convolution has stride 2 and one zero at the bottom and right. */
export const downsampling = (modules: ModuleList, config: NcsnppConfig, o: ResamplingOptions): Layer => {
  const own = parametersOf(modules, config, o)
  const taps = tapsOf(config)
  if (!o.convolve) return x => downsampleFir(x, taps)
  if (!config.fir) return (x, run) => conv2dLayer(x, own(run), { stride: 2, padding: [0, 1, 0, 1] })
  return (x, run) => downsampleConvFir(x, own(run).get('weight'), { taps, bias: own(run).get('bias') })
}

/** A module that doubles the size. */
export const upsampling = (modules: ModuleList, config: NcsnppConfig, o: ResamplingOptions): Layer => {
  const own = parametersOf(modules, config, o)
  const taps = tapsOf(config)
  if (!o.convolve) return x => upsampleFir(x, taps)
  if (!config.fir) return (x, run) => conv2dLayer(upsampleNearest2x(x), own(run))
  return (x, run) => upsampleConvFir(x, own(run).get('weight'), { taps, bias: own(run).get('bias') })
}
