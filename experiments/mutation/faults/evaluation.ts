import type { Fault } from '../fault.ts'

const evaluation = 'spec/algorithms/evaluation'
const statistics = 'spec/algorithms/statistics'

/** Faults in what is reported, and in how sure it is said to be. */
export const evaluationFaults: readonly Fault[] = [
  {
    id: 'report-on-attack-draws',
    file: 'algorithms/evaluation/robustAccuracy.ts',
    find: "draws.at({ purpose: 'report', eotSample: k })",
    replace: "draws.at({ purpose: 'attack', eotSample: k })",
    description: 'The reported number is measured on draws that the attack has seen.',
    place: 'P52, P66',
    specs: [`${evaluation}/robustAccuracy.spec.ts#(P52)`],
  },
  {
    id: 'ties-are-correct',
    file: 'algorithms/evaluation/robustAccuracy.ts',
    find: 'row.indexOf(Math.max(...row)) === label',
    replace: 'row[label] === Math.max(...row)',
    description: 'A tie counts as correct whatever its class.',
    place: 'P65',
    specs: [`${evaluation}/robustAccuracy.spec.ts#should judge by the largest logit`],
  },
  {
    id: 'nan-is-wrong',
    file: 'algorithms/evaluation/robustAccuracy.ts',
    find: 'if (row.some(Number.isNaN))',
    replace: 'if (row.every(Number.isNaN))',
    description: 'A logit that is NaN passes for a wrong answer.',
    place: 'P65',
    specs: [`${evaluation}/robustAccuracy.spec.ts#weights that are not numbers`],
  },
  {
    id: 'selection-reported',
    file: 'algorithms/evaluation/evaluateEnsemble.ts',
    find: "preset.reports === 'fresh' ?",
    replace: "preset.reports !== 'fresh' ?",
    description: 'The selection scores are reported where a fresh measurement is asked for.',
    place: 'App. L, P65',
    specs: [`${evaluation}/evaluateEnsemble.spec.ts#(P65)`],
  },
  {
    id: 'wilson-one-sided',
    file: 'algorithms/evaluation/statistics/wilson.ts',
    find: 'normalQuantile((1 + confidence) / 2)',
    replace: 'normalQuantile(confidence)',
    description: 'The critical value is that of a one-sided interval.',
    place: 'P66',
    specs: [`${statistics}/wilson.spec.ts#(P66)`],
  },
  {
    id: 'mcnemar-counts-concordant',
    file: 'algorithms/evaluation/statistics/mcnemar.ts',
    find: 'right && !first[i]',
    replace: 'right && first[i]',
    description: 'Pairs on which both defences are right count for the second.',
    place: 'P66',
    specs: [`${statistics}/mcnemar.spec.ts#concordant`],
  },
  {
    id: 'mcnemar-larger-tail',
    file: 'algorithms/evaluation/statistics/mcnemar.ts',
    find: 'const m = Math.min(onlyFirst, onlySecond)',
    replace: 'const m = onlyFirst',
    description: 'The tail is that of one defence, so that the test is not symmetric.',
    place: 'P66',
    specs: [`${statistics}/mcnemar.spec.ts#(P66)`],
  },
  {
    id: 'draws-taken-as-independent',
    file: 'algorithms/evaluation/statistics/meanInterval.ts',
    find: 'Math.min(images * draws, spread / variance)',
    replace: 'images * draws',
    description: 'The interval takes the draws of one image for independent.',
    place: 'P66',
    specs: [`${statistics}/meanInterval.spec.ts#(P66)`],
  },
  {
    id: 'ordering-without-interval',
    file: 'algorithms/evaluation/statistics/differenceLimit.ts',
    find: 'return p.estimate - q.estimate - Math.hypot',
    replace: 'return p.estimate - q.estimate - 0 * Math.hypot',
    description: 'Any difference between two settings counts as out of order.',
    place: 'E14, P66',
    specs: [`${statistics}/ordering.spec.ts#(P66)`],
  },
]
