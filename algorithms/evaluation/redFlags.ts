import type { LockSetName } from '../randomness/lockSets.ts'
import { differenceLimit, type RobustCount } from './statistics/differenceLimit.ts'
import { orderingViolations } from './statistics/ordering.ts'
import { wilson } from './statistics/wilson.ts'

/** What is known of a defence under attack. What was not measured is left out, and then raises nothing. */
export interface AttackEvidence {
  /** Share of pixels at which the attack's gradient is exactly 0, at the clean images. */
  readonly zeroGradientShare?: number
  /** Accuracy under the attack that the table reports. */
  readonly gradientAttack: RobustCount
  /** Attacks in the same ball that use less or another gradient, such as Square, BPDA or transfer. */
  readonly otherAttacks?: readonly (RobustCount & { readonly name: string })[]
  /** Accuracy under the gradient attack in the whole box, where every image can be reached. */
  readonly unbounded?: RobustCount
  /** Accuracy in the threat settings. */
  readonly table?: Readonly<Partial<Record<LockSetName, RobustCount>>>
  /** Mean loss at each step of the attack, and at growing epsilon. */
  readonly lossBySteps?: readonly number[]
  readonly lossByEpsilon?: readonly number[]
}

export type RedFlagName = 'zeroGradients' | 'otherAttackStronger' | 'unboundedRobust' | 'ordering' | 'lossBySteps' | 'lossByEpsilon'

/** A sign that robustness was measured by an attack that cannot see, and what it is. */
export interface RedFlag {
  readonly name: RedFlagName
  readonly explanation: string
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const short = (value: number): string => value.toPrecision(3)
const accuracy = ({ robust, images }: RobustCount): string => `${percent(robust / images)} of ${images}`

/** Above this share of dead pixels a sign step is mostly no step, and above this accuracy the whole box is not reached. */
const limits = { zeroGradients: 0.5, unbounded: 0.05, confidence: 0.99 }

/** Whether the last value is above the first, or there is nothing to compare. */
const rises = (values: readonly number[]): boolean => values.length < 2 || values.at(-1)! > values[0]!

/**
 * Signs of gradient masking and of weak attacks (Athalye et al. 2018; Carlini et al. 2019), each with what was seen:
 *
 * - zeroGradients: most pixels of the gradient are exactly 0;
 * - otherAttackStronger: an attack without the exact gradient is better than the one with it, beyond its 99 % interval;
 * - unboundedRobust: images survive although the ball is the whole box (99 % Wilson lower limit above 5 %);
 * - ordering: knowing more of the noise helps less (E14);
 * - lossBySteps, lossByEpsilon: more steps, or a larger ball, do not raise the loss, though some images are still right.
 *
 * An empty list is no proof of robustness. Throws RangeError as `wilson` does on counts that are none.
 */
export const redFlags = (evidence: AttackEvidence): RedFlag[] => {
  const { zeroGradientShare = 0, gradientAttack, otherAttacks = [], unbounded, table = {}, lossBySteps = [], lossByEpsilon = [] } = evidence
  const flags: RedFlag[] = []
  const raise = (name: RedFlagName, explanation: string): number => flags.push({ name, explanation })

  if (zeroGradientShare > limits.zeroGradients)
    raise('zeroGradients', `the gradient is exactly 0 at ${percent(zeroGradientShare)} of the pixels: the attack does not see them`)
  for (const other of otherAttacks) {
    if (differenceLimit(gradientAttack, other, limits.confidence) > 0)
      raise('otherAttackStronger', `${other.name} leaves ${accuracy(other)}, the gradient attack ${accuracy(gradientAttack)}`)
  }
  if (unbounded && wilson(unbounded.robust, unbounded.images, limits.confidence).low > limits.unbounded)
    raise('unboundedRobust', `${accuracy(unbounded)} are right although every image is within reach`)
  for (const { below, above, difference } of orderingViolations(table, { confidence: limits.confidence }))
    raise('ordering', `${below} is ${(100 * difference).toFixed(1)} points above ${above}, whose attacker knows less`)
  const stillRight = gradientAttack.robust > 0
  if (stillRight && !rises(lossBySteps))
    raise('lossBySteps', `the loss goes from ${short(lossBySteps[0]!)} to ${short(lossBySteps.at(-1)!)} over the steps`)
  if (stillRight && !rises(lossByEpsilon))
    raise('lossByEpsilon', `the loss goes from ${short(lossByEpsilon[0]!)} to ${short(lossByEpsilon.at(-1)!)} as epsilon grows`)
  return flags
}
