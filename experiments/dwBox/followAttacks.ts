import { pgd } from '../../algorithms/attacks/pgd.ts'
import type { Defence } from '../../algorithms/evaluation/defence.ts'
import type { LabelledBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { dwBoth, type LockSet, white } from '../../algorithms/randomness/lockSets.ts'
import { type Tensor, tidy } from '../../core/index.ts'
import { crossEntropy } from '../../core/nn/index.ts'
import type { AttackSpec } from './plan.ts'

/** An attack to follow. Those of one setting differ in their noise alone, by `repetition`. */
export interface FollowedAttack {
  readonly name: string
  readonly locks: LockSet
  readonly eotSamples: number
  readonly repetition: number
}

/** What it did to a batch of images. */
export interface Path {
  readonly attack: string
  /** Per attack step the images' pixels, the clean images first. */
  readonly iterates: Float64Array[]
  /** Per attack step the images' losses in the DW_Both world. */
  readonly losses: Float64Array[]
}

/** Two White attacks with EoT, two without, and DW_Both, which is the last. */
export const usualAttacks = (eotSamples: number): FollowedAttack[] => [
  { name: `White, EoT ${eotSamples}`, locks: white, eotSamples, repetition: 0 },
  { name: `White, EoT ${eotSamples}, other noise`, locks: white, eotSamples, repetition: 1 },
  { name: 'White, no EoT', locks: white, eotSamples: 1, repetition: 2 },
  { name: 'White, no EoT, other noise', locks: white, eotSamples: 1, repetition: 3 },
  { name: 'DW_Both', locks: dwBoth, eotSamples: 1, repetition: 0 },
]

/** Runs the attacks on a batch and keeps every iterate. `onWork` is told of gradients of images as they are done. */
export const followAttacks = async (
  defence: Defence,
  batch: LabelledBatch,
  o: {
    readonly attacks: readonly FollowedAttack[]
    readonly attack: AttackSpec
    readonly seed: number
    readonly onWork: (gradients: number) => void
  },
): Promise<Path[]> => {
  const { images, labels, ids } = batch
  const drawsOf = (locks: LockSet) => createDraws({ seed: o.seed, images: ids, locks, context: { purpose: 'attack' } })
  const locked = drawsOf(dwBoth)
  const lockedLoss = async (x: Tensor): Promise<Float64Array> => {
    const loss = tidy(() => crossEntropy(defence(x, locked), labels))
    const values = Float64Array.from(await loss.data())
    loss.dispose()
    return values
  }
  const follow = async ({ name, locks, eotSamples, repetition }: FollowedAttack): Promise<Path> => {
    const draws = drawsOf(locks).at({ repetition })
    const iterates = [Float64Array.from(await images.data())]
    const losses = [await lockedLoss(images)]
    const { xAdv } = await pgd(
      (x, attackStep, eotSample) => crossEntropy(defence(x, draws.at({ attackStep, eotSample })), labels),
      images,
      {
        ...o.attack,
        eotSamples,
        onStep: async x => {
          iterates.push(Float64Array.from(await x.data()))
          losses.push(await lockedLoss(x))
          o.onWork(ids.length * eotSamples)
        },
      },
    )
    xAdv.dispose()
    return { attack: name, iterates, losses }
  }
  const paths: Path[] = []
  for (const attack of o.attacks) paths.push(await follow(attack))
  return paths
}
