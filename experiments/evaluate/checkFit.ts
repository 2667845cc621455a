import { sidesRule, takesSide } from '../../algorithms/models/checkImages.ts'
import { DATASETS, type DatasetName } from '../data/datasets.ts'
import { UsageError } from '../support/errors.ts'
import { type Architecture, architectureExamples, architectureOf, type Normalisation } from './architectures.ts'

/** The options on which it depends whether images and network fit, and height and width as far as they are known. */
export interface Fit extends Partial<Normalisation> {
  readonly arch: string
  readonly dataset: DatasetName
  readonly sides: readonly number[]
}

const architectureFor = (arch: string, dataset: DatasetName): Architecture => architectureOf(arch, DATASETS[dataset])

/** Networks are made for the channels of the data, but the usual normalisation of most belongs to weights for three. */
const takenChannels = ({ network, normalisation }: Architecture, given: Partial<Normalisation>): number => {
  const usual = [...(given.mean ? [] : [normalisation.mean]), ...(given.std ? [] : [normalisation.std])]
  return usual.find(({ length }) => length > 1)?.length ?? network.input.channels
}

const takesSides = (sides: readonly number[], { network }: Architecture): boolean => sides.every(side => takesSide(side, network.input))

const fits = ({ arch, dataset, sides, ...given }: Fit): boolean => {
  const architecture = architectureFor(arch, dataset)
  return takenChannels(architecture, given) === DATASETS[dataset].channels && takesSides(sides, architecture)
}

/** Height and width of a data set's images before they are read; none if only the pictures know. */
export const knownSides = (dataset: DatasetName, { crop }: { readonly crop?: number | undefined }): readonly number[] => {
  const { side = crop }: { readonly side?: number } = DATASETS[dataset]
  return side === undefined ? [] : [side, side]
}

/** @throws UsageError unless the network takes the images, naming both and what would fit either */
export const checkFit = (o: Fit): void => {
  if (fits(o)) return
  const { arch, dataset, sides, mean, std } = o
  const kind = DATASETS[dataset]
  const architecture = architectureFor(arch, dataset)
  const channels = takenChannels(architecture, { mean, std })
  const size = sides.length > 0 ? ` of ${sides.join('x')} pixels` : ''
  const counted = (count: number): string => `${count} ${count === 1 ? 'channel' : 'channels'}`
  const datasets = (Object.keys(DATASETS) as DatasetName[]).filter(
    other => other !== dataset && fits({ arch, dataset: other, sides: knownSides(other, {}) }),
  )
  const architectures = architectureExamples.filter(other => fits({ arch: other, dataset, sides }))
  const framing = 'side' in kind ? [] : ['frame the pictures with --resize and --crop']
  const own =
    channels === kind.channels || !takesSides(sides, architecture)
      ? []
      : [`give --mean and --std for weights that take ${counted(kind.channels)}`]
  const remedies = [`use --dataset ${datasets.join(', ')}`, `--arch ${architectures.join(', ')}`, ...framing, ...own]
  throw new UsageError(
    `--dataset ${dataset} has images${size} with ${counted(kind.channels)}, --arch ${arch} takes images of ${counted(channels)}${sidesRule(architecture.network.input)}`,
    remedies.join(', or '),
  )
}
