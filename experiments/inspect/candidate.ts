import type { Shapes } from './shapes.ts'

/** A network that a checkpoint may belong to. */
export interface Candidate {
  readonly network: 'UNet2DModel' | 'GuidedUNet' | 'EDM' | 'NCSN++' | 'WideResNet' | 'ResNet' | 'VGG' | 'ViT'
  /** What the weights tell of the configuration. */
  readonly config: Readonly<Record<string, unknown>>
  /** Options on which no name and no shape depends. */
  readonly unknown: readonly string[]
  /** The file's shapes under the names of the network. */
  readonly found: Shapes
  /** What the network needs. @throws Error when there is no such network */
  readonly expected: () => Shapes
}

/** Looks for one kind of network in names and shapes; null when the names are not its own. */
export type Recogniser = (shapes: Shapes) => Candidate | null
