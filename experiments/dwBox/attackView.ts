import { bpdaView } from '../../algorithms/attacks/bpda.ts'
import { diffAttackView } from '../../algorithms/attacks/diffAttack.ts'
import type { ViewName } from '../../algorithms/attacks/presets.ts'
import { type AttackerView, viewOf } from '../../algorithms/attacks/problem.ts'
import { surrogatePurifier } from '../../algorithms/attacks/surrogate.ts'
import { purifiedClassifier, undefended } from '../../algorithms/evaluation/defence.ts'
import { purifyAny } from '../../algorithms/purification/anyPurifier.ts'
import { UsageError } from '../support/errors.ts'
import type { Networks } from './defence.ts'
import type { DefenceSpec } from './plan.ts'
import { processLabels } from './process.ts'

/**
 * What the attacker of a row runs and differentiates: the defence, the defence with another gradient (`adjoint`, `bpda`) or
 * loss (`diffAttack`), a purifier of half the reverse steps (`surrogate`), or (`transfer`) the bare classifier. Without diffusion there are no steps to leave out or to see through: what
 * is attacked is the defence itself. Throws UsageError where the process has no such view.
 */
export const attackViewOf = (networks: Networks, spec: DefenceSpec, name: ViewName): AttackerView => {
  const { classifier } = networks
  if (name === 'transfer') return viewOf(undefended(classifier))
  if (spec.purifier === null) return viewOf(networks.defence(spec))
  const purifier = networks.purifier({ ...spec, purifier: spec.purifier })
  const misfit = (needed: string): Error =>
    new UsageError(`the view ${name} has no meaning for ${processLabels[spec.reverse]}`, `use --process ${needed}`)
  switch (name) {
    case 'exact':
      return viewOf(purifiedClassifier(purifier, classifier))
    case 'bpda':
      return bpdaView((x, draws) => purifyAny(purifier, x, draws), classifier)
    case 'surrogate':
      return viewOf(purifiedClassifier(surrogatePurifier(purifier, { steps: Math.ceil(spec.reverseSteps / 2) }), classifier))
    case 'adjoint':
      if ('sigmas' in purifier || 'schedule' in purifier) throw misfit('vpsde or vpsde-flow')
      return viewOf(purifiedClassifier({ ...purifier, gradient: 'adjoint' }, classifier))
    case 'diffAttack':
      if (!('schedule' in purifier)) throw misfit('ddpm or ddim')
      return diffAttackView(purifier, classifier)
  }
}
