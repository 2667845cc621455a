import { createNcsnpp, type NcsnppConfig, renameNcsnppParameters } from '../../../algorithms/models/ncsnpp.ts'
import type { Recogniser } from '../candidate.ts'
import { extent, hasPrefix, hasTensor, numbered, type Shapes } from '../shapes.ts'

/** What one module of the origin's flat list is, by the parameters under its number. */
type Kind = 'frequencies' | 'linear' | 'convolution' | 'norm' | 'residual' | 'attention' | 'resampling' | 'bare'

interface Module {
  readonly name: string
  readonly kind: Kind
}

const kindOf = (found: Shapes, name: string): Kind => {
  const has = (part: string): boolean => hasTensor(found, `${name}.${part}`)
  if (has('W')) return 'frequencies'
  if (has('Conv_1.weight')) return 'residual'
  if (has('NIN_3.W')) return 'attention'
  if (has('Conv_0.weight') || has('Conv2d_0.weight')) return 'resampling'
  const rank = found[`${name}.weight`]?.length
  if (rank === undefined) return 'bare'
  return rank === 1 ? 'norm' : rank === 2 ? 'linear' : 'convolution'
}

const modulesOf = (found: Shapes): Module[] => {
  const numbers = Object.keys(found).map(name => Number(/^all_modules\.(\d+)\./.exec(name)?.[1] ?? -1))
  const last = numbers.reduce((max, number) => Math.max(max, number), -1)
  // A list with more gaps than modules is none of a network.
  return numbered(Math.min(last + 1, 2 * numbers.length), i => ({ name: `all_modules.${i}`, kind: kindOf(found, `all_modules.${i}`) }))
}

/** Input and output channels of a residual block. */
const inputs = (found: Shapes, { name }: Module): number => extent(found, `${name}.Conv_0.weight`, 1) ?? 0
const outputs = (found: Shapes, { name }: Module): number => extent(found, `${name}.Conv_1.weight`, 0) ?? 0

/** Where the network first changes its resolution: a residual block that projects without need, or a module of its own. */
const firstHalving = (found: Shapes, modules: readonly Module[]): number =>
  modules.findIndex(
    module =>
      module.kind === 'resampling' ||
      module.kind === 'bare' ||
      (module.kind === 'residual' && hasTensor(found, `${module.name}.Conv_2.weight`) && inputs(found, module) === outputs(found, module)),
  )

/** How shrunken copies of the input enter, told from the module behind the first halving. */
const progressiveInput = (found: Shapes, modules: readonly Module[], halving: number): Partial<NcsnppConfig> => {
  const next = modules[halving + 1]
  if (halving < 0 || next?.kind !== 'resampling') return { progressive_input: 'none' }
  const skip = extent(found, `${next.name}.Conv_0.weight`, 2) === 1
  if (!skip) return { progressive_input: 'residual' }
  const after = modules[halving + 2]
  const channels = extent(found, `${next.name}.Conv_0.weight`, 0)!
  const appended = after?.kind === 'residual' && inputs(found, after) === 2 * channels
  return { progressive_input: 'input_skip', progressive_combine: appended ? 'cat' : 'sum' }
}

/** How the output grows: norms come before images, and the first image tells whose it is. */
const progressive = (found: Shapes, modules: readonly Module[], imageChannels: number | undefined): NcsnppConfig['progressive'] => {
  const norms = modules.flatMap(({ kind }, i) => (kind === 'norm' ? [i] : []))
  if (norms.length < 2) return 'none'
  return extent(found, `all_modules.${norms[0]! + 1}.weight`, 0) === imageChannels ? 'output_skip' : 'residual'
}

/** NCSN++ and DDPM++ of score_sde. */
export const ncsnpp: Recogniser = given => {
  if (!hasPrefix(given, 'all_modules.') && !hasPrefix(given, 'module.all_modules.')) return null
  const found = renameNcsnppParameters(given)
  const modules = modulesOf(found)
  const first = modules.findIndex(({ kind }) => kind === 'convolution')
  if (first < 0) return null
  const residuals = modules.flatMap((module, i) => (module.kind === 'residual' ? [{ module, i }] : []))
  const halving = firstHalving(found, modules)
  const biggan = Object.keys(found).some(name => name.endsWith('.Conv_2.weight'))
  // A level has n blocks down, n + 1 up and, if they resample, one more each way but the last; the middle has two.
  const perLevel = halving < 0 ? (residuals.length - 3) / 2 : residuals.filter(({ i }) => i < halving).length
  const resampling = biggan ? 2 : 0
  const levels = (residuals.length - 2 + resampling) / (2 * perLevel + 1 + resampling)
  const nf = extent(found, `all_modules.${first}.weight`, 0) ?? 0
  const imageChannels = extent(found, `all_modules.${first}.weight`, 1)
  const firstOf = (level: number) => residuals[level * (perLevel + resampling / 2)]
  const levelList = numbered(Number.isInteger(levels) ? levels : 0, level => level).filter(level => firstOf(level))
  const config: Partial<NcsnppConfig> = {
    nf,
    num_channels: imageChannels!,
    ch_mult: levelList.map(level => outputs(found, firstOf(level)!.module) / nf),
    num_res_blocks: perLevel,
    image_size: 32,
    attn_resolutions: levelList.filter(level => modules[firstOf(level)!.i + 1]?.kind === 'attention').map(level => 32 / 2 ** level),
    conditional: modules.some(({ kind }) => kind === 'linear'),
    embedding_type: modules[0]?.kind === 'frequencies' ? 'fourier' : 'positional',
    resblock_type: biggan ? 'biggan' : 'ddpm',
    resamp_with_conv: modules[halving]?.kind !== 'bare',
    fir: Object.keys(found).some(name => name.endsWith('.Conv2d_0.weight')),
    progressive: progressive(found, modules, imageChannels),
    ...progressiveInput(found, modules, halving),
  }
  const unknown = ['image_size (attn_resolutions are those of 32)', 'fir_kernel', 'skip_rescale', 'centered', 'scale_by_sigma', 'dropout']
  // Resampling without a convolution of its own shows nothing of its filter.
  const hidden = config.fir ? [] : ['fir']
  return { network: 'NCSN++', config, unknown: [...unknown, ...hidden], found, expected: () => createNcsnpp(config).parameterShapes() }
}
