import { bpdaView } from '../../algorithms/attacks/bpda.ts'
import { diffAttackView } from '../../algorithms/attacks/diffAttack.ts'
import type { ViewName } from '../../algorithms/attacks/presets.ts'
import { type AttackerView, viewOf } from '../../algorithms/attacks/problem.ts'
import { surrogatePurifier } from '../../algorithms/attacks/surrogate.ts'
import { purifiedClassifier, undefended } from '../../algorithms/evaluation/defence.ts'
import { purify } from '../../algorithms/purification/purify.ts'
import type { Networks } from './defence.ts'
import type { DefenceSpec } from './plan.ts'

/**
 * What the attacker of a row runs and differentiates: the defence, the defence with another gradient or loss, a purifier of half the
 * reverse steps, or (`transfer`) the bare classifier. Without diffusion there are no steps to leave out or to see through: what
 * is attacked is the defence itself.
 */
export const attackViewOf = (networks: Networks, spec: DefenceSpec, name: ViewName): AttackerView => {
  const { classifier } = networks
  if (name === 'transfer') return viewOf(undefended(classifier))
  if (spec.purifier === null) return viewOf(networks.defence(spec))
  const purifier = networks.purifier({ ...spec, purifier: spec.purifier })
  switch (name) {
    case 'exact':
      return viewOf(purifiedClassifier(purifier, classifier))
    case 'bpda':
      return bpdaView((x, draws) => purify(purifier, x, draws), classifier)
    case 'surrogate':
      return viewOf(purifiedClassifier(surrogatePurifier(purifier, { steps: Math.ceil(purifier.intervals.length / 2) }), classifier))
    case 'diffAttack':
      return diffAttackView(purifier, classifier)
  }
}
