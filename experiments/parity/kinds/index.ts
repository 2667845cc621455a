import type { ParityKind } from '../kind.ts'
import { cgpo } from './cgpo.ts'
import { dwBox } from './dwBox.ts'
import { edmNet } from './edmNet.ts'
import { ncsnpp } from './ncsnpp.ts'
import { rbgm } from './rbgm.ts'
import { schedulers } from './schedulers.ts'
import { schedVpsde } from './schedVpsde.ts'
import { timestepEmbedding } from './timestepEmbedding.ts'
import { unet2d } from './unet2d.ts'
import { wide, wrn } from './wideResNet.ts'

/** Every kind of golden vectors that can be checked; the first whose pattern fits a stem is taken. */
export const KINDS: readonly ParityKind[] = [
  unet2d,
  ncsnpp,
  edmNet,
  wrn,
  wide,
  timestepEmbedding,
  schedulers,
  schedVpsde,
  rbgm,
  cgpo,
  dwBox,
]
