import type { Candidate, Recogniser } from './candidate.ts'
import { edmNet } from './recognise/edmNet.ts'
import { guidedUnet } from './recognise/guidedUnet.ts'
import { ncsnpp } from './recognise/ncsnpp.ts'
import { resNet } from './recognise/resNet.ts'
import { unet2d } from './recognise/unet2d.ts'
import { vgg } from './recognise/vgg.ts'
import { vit } from './recognise/vit.ts'
import { wideResNet } from './recognise/wideResNet.ts'
import type { Shapes } from './shapes.ts'

const RECOGNISERS: readonly Recogniser[] = [unet2d, guidedUnet, edmNet, ncsnpp, wideResNet, resNet, vgg, vit]

/** The candidates by patterns of names; whether they fit is another question. */
export const candidates = (shapes: Shapes): Candidate[] =>
  RECOGNISERS.map(recognise => recognise(shapes)).filter(candidate => candidate !== null)
