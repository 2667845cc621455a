import type { Fault } from '../fault.ts'

const specs = 'spec/algorithms/randomness'

/** Faults in who draws which random numbers. */
export const randomnessFaults: readonly Fault[] = [
  {
    id: 'reverse-lock-locks-forward',
    file: 'algorithms/randomness/lockSets.ts',
    find: "dwReverse: LockSet = locking('reverse')",
    replace: "dwReverse: LockSet = locking('forward')",
    description: 'DW_Rev gives the attacker the forward noise instead of the reverse noises.',
    place: 'E13',
    specs: [`${specs}/lockSets.spec.ts#should lock the same draws`],
  },
  {
    id: 'lock-forgets-report',
    file: 'algorithms/randomness/draws.ts',
    find: "locked ? 'locked' : name.purpose",
    replace: 'name.purpose',
    description: 'A locked noise is one during the attack and another in the report.',
    place: 'E13, P47',
    specs: [`${specs}/lockSets.spec.ts#should repeat a locked draw`],
  },
  {
    id: 'locked-noise-redrawn',
    file: 'algorithms/randomness/draws.ts',
    find: 'return locked ? part : foldIn',
    replace: 'return foldIn',
    description: 'A locked noise is drawn again at every attack step.',
    place: 'E13, P47',
    specs: [`${specs}/lockSets.spec.ts#should repeat a locked draw`],
  },
  {
    id: 'draws-by-position',
    file: 'algorithms/randomness/draws.ts',
    find: 'distribution(keyOf(source, image, place), count)',
    replace: 'distribution(keyOf(source, i, place), count)',
    description: "An image's noise depends on its place in the batch.",
    place: 'P48',
    specs: [`${specs}/draws.spec.ts#(P48)`],
  },
  {
    id: 'unregistered-draws',
    file: 'algorithms/randomness/draws.ts',
    find: 'if (!registered.includes(name.source)) {',
    replace: 'if (registered.length === 0) {',
    description: 'Dropout that was left on draws its masks unnoticed.',
    place: 'P49',
    specs: [`${specs}/draws.spec.ts#(P49)`],
  },
  {
    id: 'key-words-as-numbers',
    file: 'core/random/key.ts',
    find: 'const tag = (0x80000000 | bytes.length) >>> 0',
    replace: 'const tag = bytes.length',
    description: 'The name of a source and a number of an image can give the same key.',
    place: 'P48, P52',
    specs: ['spec/core/random/key.spec.ts#should fold different data'],
  },
]
