import type { Fault } from '../fault.ts'
import { attackFaults } from './attacks.ts'
import { diffusionFaults } from './diffusion.ts'
import { evaluationFaults } from './evaluation.ts'
import { randomnessFaults } from './randomness.ts'
import { trainingFaults } from './training.ts'

/** Every mistake that the specs are known to notice. */
export const faults: readonly Fault[] = [...diffusionFaults, ...trainingFaults, ...randomnessFaults, ...attackFaults, ...evaluationFaults]
