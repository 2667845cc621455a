/** How two measurements are compared. */
export interface Effect {
  /** What is compared, such as `DW_Both, faithful against paper`. */
  readonly label: string
  /** Ids of arms: the reading of the paper first, what the scripts do second. */
  readonly paper: string
  readonly scripts: string
  /** What of the second arm counts: all of its report draws, the first alone, or what the attack's own selection counted. */
  readonly outcome?: 'report' | 'firstDraw' | 'selection'
}

/** A finding about the published scripts, as a reader needs it: what they do, what the paper says, what we do, and what it changes. */
export interface Finding {
  readonly id: string
  readonly scripts: string
  readonly paper: string
  /** Our option, and where: `file#symbol`. */
  readonly option: string
  readonly code: string
  /** Measured effects; without any, `why` says why there is none. */
  readonly effects: readonly Effect[]
  readonly why?: string
}

const effect = (label: string, paper: string, scripts: string, outcome?: Effect['outcome']): Effect => ({
  label,
  paper,
  scripts,
  ...(outcome && { outcome }),
})

/** Every finding of the audit of the published scripts. H changes a number or claim, M behaviour in some setting, L is cosmetic. */
export const findings: readonly Finding[] = [
  {
    id: 'H1',
    scripts: 'The VPSDE purifier is attacked and locked in training mode: dropout stays on.',
    paper: 'Forward and reverse noise are all the randomness.',
    option: 'trainMode, dropout 0.1; evaluation refuses the source unless it is registered',
    code: 'algorithms/purification/trainMode.ts#dropoutOf',
    effects: [
      effect('White, DDPM with dropout on', 'white', 'white-dropout'),
      effect('DW_Both, DDPM with dropout on: no longer deterministic', 'both', 'both-dropout'),
    ],
  },
  {
    id: 'H2',
    scripts:
      'Three VPSDE purifiers: with corrector and without clamp in White, without corrector and with clamp on clean images, without either in DW-box.',
    paper: 'One purifier.',
    option: 'reverse.corrector, clamp, labelScale',
    code: 'algorithms/purification/purifyVpsde.ts#VpsdePurifier',
    effects: [
      effect('White, corrector (twice the evaluations) and no clamp', 'vpsde', 'vpsde-corrector'),
      effect('DW_Both, no clamp', 'vpsde-both', 'vpsde-both-no-clamp'),
    ],
  },
  {
    id: 'H3',
    scripts: 'EDM training never clears the gradient that CGPO leaves: the purifier is also trained to please the guide.',
    paper: 'The diffusion model is frozen in CGPO.',
    option: 'leakGuideGradient',
    code: 'algorithms/training/guideGradientLeak.ts#guideGradientLeak',
    effects: [effect('DW_Both after 150 steps of ADDT with the leak', 'both-addt', 'both-addt-leak')],
  },
  {
    id: 'H4',
    scripts: 'EDM training on seven devices does not synchronise gradients; the weights of one are kept.',
    paper: 'One training.',
    option: 'none',
    code: 'experiments/training/loop.ts#runTraining',
    effects: [],
    why: 'not applicable to our code: a training is one process, and its batch is what its settings say',
  },
  {
    id: 'H5',
    scripts: 'DW_Fwd is attacked with one EoT sample though its reverse noise stays random, White with ten.',
    paper: 'EoT 10.',
    option: 'forwardEotSamples',
    code: 'algorithms/attacks/dwBox.ts#dwBoxSettings',
    effects: [effect('DW_Fwd, EoT 1 in place of 5', 'forward', 'forward-eot-1')],
  },
  {
    id: 'H6',
    scripts: 'No script for DW_Rev; loss landscape, trajectories, FID, larger data sets and several attacks are absent.',
    paper: 'Reports them.',
    option: 'DW_Rev is one of four settings',
    code: 'algorithms/randomness/lockSets.ts#dwReverse',
    effects: [],
    why: 'not applicable to our code: every setting of the paper is measured by the same function',
  },
  {
    id: 'H7',
    scripts: 'The launchers of DW-box evaluate other checkpoints than those of ADDT.',
    paper: 'The ADDT model.',
    option: 'weights by name and checksum, in every result',
    code: 'experiments/dwBox/checkWeights.ts#checkWeights',
    effects: [],
    why: 'not applicable to our code: weights are found by name, and their SHA-256 is part of the options of a run',
  },
  {
    id: 'H8',
    scripts: 'AutoAttack "rand" counts an image as broken after one lucky draw; the repair takes the least of several noisy means.',
    paper: 'Reports the repaired protocol.',
    option: 'autoattack-rand, autoattack-fixed; ours re-evaluates on fresh draws',
    code: 'algorithms/attacks/presets.ts#attackPresets',
    effects: [
      effect('printed by "rand" against fresh draws, same images', 'autoattack', 'autoattack', 'selection'),
      effect('printed by the repair against fresh draws, same images', 'autoattack-fixed', 'autoattack-fixed', 'selection'),
    ],
  },
  {
    id: 'M1',
    scripts: 'An off-by-one slice: purification starts at t* T and takes one step more.',
    paper: 't* = 0.1 T, as DiffPure, whose image is noised with abar[t* T - 1].',
    option: 'faithfulTimesteps, paperTimesteps',
    code: 'algorithms/purification/timesteps.ts#faithfulTimesteps',
    effects: [effect('White', 'white', 'white-timesteps'), effect('DW_Both', 'both', 'both-timesteps')],
  },
  {
    id: 'M2',
    scripts: 'P is clipped to [-1,1] at every step, with a zero gradient where it saturates; DDIM goes on with the unclipped noise.',
    paper: 'Does not say.',
    option: 'clip, clampGradient, clippedEpsilon',
    code: 'algorithms/diffusion/ddim.ts#ddimStep',
    effects: [
      effect('DW_Both, clipped against not clipped', 'both-no-clip', 'both'),
      effect('DW_Both, exact gradient against straight through', 'both-straight', 'both'),
      effect('DW_Both, DDIM, noise as predicted against rederived', 'ddim-rederived', 'ddim'),
    ],
  },
  {
    id: 'M3',
    scripts: 'fixedLarge variance; PGD from the image itself, without restarts, its last iterate; one draw judges each image.',
    paper: 'PGD20 + EoT10; does not say the rest.',
    option: 'variance, init, restarts, iterate, reportDraws',
    code: 'algorithms/evaluation/robustAccuracy.ts#EvaluationOptions',
    effects: [
      effect('White, one draw against ten', 'white', 'white', 'firstDraw'),
      effect('DW_Both, fixedLarge against fixedSmall', 'both-small-variance', 'both'),
      effect('DW_Both, last against best iterate', 'both-best', 'both'),
      effect('DW_Both, start at the image against at random', 'both-random-start', 'both'),
      effect('DW_Both, one run against three', 'both-restarts', 'both'),
    ],
  },
  {
    id: 'M4',
    scripts: 'CGPO runs the online model with dropout; with gradient accumulation its gradients would leak.',
    paper: 'Frozen networks.',
    option: 'searchModel',
    code: 'algorithms/training/addt.ts#AddtOptions',
    effects: [effect('DW_Both after 150 steps of ADDT, dropout 0.1 in CGPO', 'both-addt', 'both-addt-dropout')],
  },
  {
    id: 'M5',
    scripts: 'RBGM stands inside the EoT loop in two trainings and outside in the third.',
    paper: 'After the gradient.',
    option: 'none',
    code: 'algorithms/training/cgpo.ts#cgpo',
    effects: [],
    why: 'no effect on numbers: the loop is over one sample, and RBGM of the sum is then the same',
  },
  {
    id: 'M6',
    scripts: 'The sum of gradients is kept over the five refinements, but reset in the l_inf variants.',
    paper: 'delta accumulates.',
    option: 'accumulate',
    code: 'algorithms/training/cgpo.ts#CgpoOptions',
    effects: [effect('DW_Both after 150 steps of ADDT, last gradient alone', 'both-addt', 'both-addt-last-gradient')],
  },
  {
    id: 'M7',
    scripts: 'In the l_2 ablation the model learns eps, not the noise it was given: it is told to ignore the perturbation.',
    paper: 'All the noise.',
    option: "target 'epsilon'",
    code: 'algorithms/training/addt.ts#addtStep',
    effects: [effect('DW_Both after 150 steps of ADDT, target eps', 'both-addt', 'both-addt-epsilon')],
  },
  {
    id: 'M8',
    scripts: 'Equal gradients are ranked by an unspecified sort, at worst as a raster-order ramp; NaN sorts last, unnoticed.',
    paper: 'Ranks.',
    option: "ties 'position'; NaN is refused by name",
    code: 'algorithms/training/cgpo.ts#CgpoOptions',
    effects: [],
    why: 'ties',
  },
  {
    id: 'M9',
    scripts: 'The ViT gets images that are not normalised; two other branches crash.',
    paper: 'A fine-tuned ViT-B/16.',
    option: 'normalisation belongs to the classifier that is evaluated',
    code: 'experiments/evaluate/normalised.ts#normalisedClassifier',
    effects: [],
    why: 'not applicable to our code: on the digits the classifier has its normalisation inside',
  },
  {
    id: 'M10',
    scripts: 'The clean script judges 88 of 128 images in place of 1,024.',
    paper: 'The first 1,024 test images.',
    option: 'images by id, and their number beside every accuracy',
    code: 'experiments/dwBox/plan.ts#planUnits',
    effects: [],
    why: 'no effect on numbers: clean and robust accuracy are measured on the same images in one pass',
  },
  {
    id: 'M11',
    scripts: 'EDM is started at sigma 0.5.',
    paper: 't* = 0.1, which is sigma 0.340.',
    option: 'sigmas',
    code: 'algorithms/diffusion/edm.ts#karrasSigmas',
    effects: [effect('DW_Both, sigma 0.5 against 0.34', 'edm', 'edm-more-noise')],
  },
  {
    id: 'M12',
    scripts: 'The vanilla VPSDE is fine-tuned, the vanilla DDPM is the original checkpoint: two baselines.',
    paper: 'Vanilla.',
    option: 'weights base (original) and vanilla (clean fine-tuned)',
    code: 'experiments/digits/jobs.ts#diffusionJobs',
    effects: [effect('DW_Both, original against clean fine-tuned', 'both', 'both-base')],
  },
  {
    id: 'M13',
    scripts: 'VPSDE weights are loaded with missing keys allowed.',
    paper: 'Does not say.',
    option: 'none',
    code: 'core/nn/checkParameters.ts#checkParameters',
    effects: [],
    why: 'not applicable to our code: a missing, extra or misshapen tensor is refused by name',
  },
  {
    id: 'L1 to L7',
    scripts: 'Launcher arguments, paths, unused memory, folder names, an unneeded retain_graph, 100 epochs beside 50 in the text.',
    paper: 'Reproducibility.',
    option: 'none',
    code: 'experiments/cli/program.ts#createProgram',
    effects: [],
    why: 'no effect on numbers: cosmetic, or an option of the training here',
  },
]
