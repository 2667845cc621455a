/** A statement of the paper, or one this project adds to it, with what implements it and what tests it. */
export interface Claim {
  /** What `@paper` tags name: an equation of the paper (`E8`), an algorithm, or the subject of a claim. */
  readonly id: string
  /** Where in the paper. */
  readonly place: string
  readonly statement: string
  /** `file#symbol`; code that carries a `@paper` tag of the id is found without being listed. */
  readonly code: readonly string[]
  /** `spec file#part of the test's title`. */
  readonly specs: readonly string[]
  /** Properties of the test plan that it covers. */
  readonly properties: readonly string[]
  /** Where this implementation knowingly differs from the paper or the published scripts. */
  readonly deviations?: string
}

const algorithms = 'spec/algorithms'
const diffusion = 'spec/algorithms/diffusion'
const attacks = 'spec/algorithms/attacks'
const randomness = 'spec/algorithms/randomness'
const statistics = 'spec/algorithms/statistics'
const experiments = 'spec/experiments/dwBox'

/** Every equation and claim of the paper that the project touches, then what the project adds so that they can be checked. */
export const claims: readonly Claim[] = [
  {
    id: 'Claim 1',
    place: 'Title claim; Figures 1 and 3',
    statement: 'Purification is robust mostly because it is random: an attacker who is given the noises (DW_Both) takes most of it away.',
    code: ['experiments/dwBox/verdicts.ts#claim1', 'algorithms/attacks/dwBox.ts#dwBoxSettings'],
    specs: [`${experiments}/verdicts.spec.ts#claim 1`],
    properties: ['P47', 'P51'],
    deviations: 'The specs test how the claim is judged; whether it holds is measured by npm start and printed with its interval.',
  },
  {
    id: 'Claim 2',
    place: 'Figures 1 and 3',
    statement:
      'The loss around an image is not flat: directions of far higher loss exist, and randomness hides them from attacks that have to average.',
    code: [
      'algorithms/landscape/lossSurface.ts#lossSurface',
      'algorithms/landscape/plane.ts#planeAlong',
      'experiments/landscape/runLandscape.ts#runLandscape',
      'experiments/dwBox/trajectories.ts#runTrajectories',
    ],
    specs: [
      'spec/algorithms/landscape/lossSurface.spec.ts#should be affine',
      'spec/algorithms/landscape/plane.spec.ts#should have orthonormal axes',
      'spec/experiments/landscape/landscape.spec.ts#should put the ends of the attacks on the corners',
    ],
    properties: [],
    deviations:
      'The specs test how the pictures are made; what they show is measured by npm run landscape. Images are not clipped to [0,1] within a plane.',
  },
  {
    id: 'Claim 3',
    place: 'ADDT; Figures 4 and 5',
    statement: 'ADDT makes the diffusion model itself purify: accuracy rises where no randomness is left.',
    code: ['experiments/dwBox/verdicts.ts#claim3', 'algorithms/training/addt.ts#addtStep'],
    specs: [`${experiments}/verdicts.spec.ts#claim 3`],
    properties: ['P28'],
    deviations: 'The specs test how the claim is judged; whether it holds is measured by npm start, paired by McNemar.',
  },
  {
    id: 'Claim 5',
    place: 'Tables of DDPM, DDIM, VPSDE and EDM',
    statement: 'The settings, the attack and ADDT apply to purifiers of every process, at any number of evaluations.',
    code: [
      'algorithms/purification/anyPurifier.ts#purifyAny',
      'algorithms/purification/anyPurifier.ts#isStochastic',
      'algorithms/purification/discreteNetwork.ts#edmDenoiser',
      'experiments/dwBox/process.ts#processPurifier',
    ],
    specs: [
      ...['P47', 'P49', 'P50', 'P60'].map(p => `${algorithms}/purification/everyProcess.spec.ts#(${p})`),
      `${algorithms}/purification/gaussianOracle.spec.ts#(P54)`,
      `${experiments}/process.spec.ts#(claim 5)`,
    ],
    properties: ['P47', 'P49', 'P50', 'P54', 'P60'],
    deviations: 'The digits model was trained on discrete timesteps; VPSDE and EDM ask it at the real timestep of equal noise.',
  },
  {
    id: 'E1',
    place: 'Forward process',
    statement: 'x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps.',
    code: ['algorithms/diffusion/schedule.ts#qSample', 'algorithms/diffusion/schedule.ts#linearSchedule'],
    specs: [`${algorithms}/schedule.spec.ts#(P21)`, `${diffusion}/schedule.spec.ts#(P33)`],
    properties: ['P21', 'P33'],
  },
  {
    id: 'E2',
    place: 'One-step estimate',
    statement: 'P(x_t, t) = (x_t - sqrt(1 - abar_t) epsilonTheta(x_t, t)) / sqrt(abar_t).',
    code: ['algorithms/diffusion/schedule.ts#predictXStartFromEpsilon'],
    specs: [`${algorithms}/schedule.spec.ts#(P26)`],
    properties: ['P26'],
  },
  {
    id: 'E3',
    place: 'DDPM purifier, reverse process',
    statement: 'From t to s, x_s is drawn around the posterior mean of the clipped estimate P, with variance fixedLarge or fixedSmall.',
    code: ['algorithms/diffusion/ddpm.ts#ddpmStep', 'algorithms/diffusion/ddpm.ts#ddpmPosterior'],
    specs: [`${diffusion}/ddpm.spec.ts#(P34)`, `${diffusion}/ddpm.spec.ts#(P37)`, `${diffusion}/ddpm.spec.ts#(P38)`],
    properties: ['P34', 'P37', 'P38'],
  },
  {
    id: 'E4',
    place: 'DDIM purifier, reverse process',
    statement: 'x_s = sqrt(abar_s) clip(P) + sqrt(1 - abar_s - sigma^2) epsilonTheta + sigma z; with eta = 0 nothing is drawn.',
    code: ['algorithms/diffusion/ddim.ts#ddimStep', 'algorithms/diffusion/ddim.ts#ddimSigma'],
    specs: [
      `${diffusion}/ddim.spec.ts#(P35)`,
      `${diffusion}/ddim.spec.ts#(P36)`,
      `${diffusion}/ddim.spec.ts#(P39)`,
      `${diffusion}/ddim.spec.ts#(P40)`,
    ],
    properties: ['P35', 'P36', 'P39', 'P40'],
  },
  {
    id: 'E5',
    place: 'VPSDE purifier (DDPM++)',
    statement:
      'Euler-Maruyama on the reverse VP SDE with score = -epsilonTheta / std; the output is the last x_mean. One purifier for clean, attacked and locked images.',
    code: [
      'algorithms/diffusion/vpsde.ts#vpsdeReverseStep',
      'algorithms/diffusion/langevin.ts#langevinStep',
      'algorithms/purification/purifyVpsde.ts#purifyVpsde',
    ],
    specs: [
      ...['P41', 'P42', 'P43'].map(p => `${algorithms}/vpsde.spec.ts#(${p})`),
      ...['P45', 'P48', 'P49', 'P54', 'P55'].map(p => `${algorithms}/purification/continuous.spec.ts#(${p})`),
    ],
    properties: ['P41', 'P42', 'P43', 'P45', 'P48', 'P49', 'P54', 'P55'],
    deviations:
      'Corrector, clamp and label scale are options; the published scripts choose them differently for clean, attacked and locked images (audit finding H2) and leave dropout on (H1).',
  },
  {
    id: 'E6',
    place: 'EDM purifier',
    statement: 'Noise sigma_max n, then Heun steps with churn along the Karras grid with rho = 7.',
    code: [
      'algorithms/diffusion/edm.ts#heunStep',
      'algorithms/diffusion/edm.ts#karrasSigmas',
      'algorithms/purification/purifyEdm.ts#purifyEdm',
    ],
    specs: [
      `${algorithms}/edm.spec.ts#(P44)`,
      `${algorithms}/purification/purifyEdm.spec.ts#(P45)`,
      ...['P48', 'P49', 'P54', 'P55'].map(p => `${algorithms}/purification/continuous.spec.ts#(${p})`),
    ],
    properties: ['P44', 'P45', 'P48', 'P49', 'P54', 'P55'],
    deviations: 'The published scripts start at 0.5, which is more noise than t* = 0.1 of the VP SDE, 0.340 (audit finding M11).',
  },
  {
    id: 'E7',
    place: 'ADDT, modulation of the perturbation',
    statement: 'lambda_t = clip(lambda_unit gamma_t, lambda_min, lambda_max) with gamma_t = sqrt(abar_t) / sqrt(1 - abar_t).',
    code: [
      'algorithms/diffusion/modulation.ts#lambda',
      'algorithms/diffusion/modulation.ts#gamma',
      'algorithms/training/noiseProcess.ts#lambdas',
    ],
    specs: [...['P17', 'P18', 'P19'].map(p => `${algorithms}/modulation.spec.ts#(${p})`), `${algorithms}/edm.spec.ts#(P20)`],
    properties: ['P17', 'P18', 'P19', 'P20'],
  },
  {
    id: 'E8',
    place: 'RBGM; Figures 4 and 5',
    statement: 'Per image and channel the k-th smallest perturbation gets the k-th smallest of the drawn normal values.',
    code: ['algorithms/training/rbgm.ts#rbgm'],
    specs: [
      ...['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8', 'P9', 'P11', 'P12', 'P15', 'P16'].map(p => `${algorithms}/rbgm.spec.ts#(${p})`),
      ...['P10', 'P13', 'P14'].map(p => `${algorithms}/rbgmDistribution.spec.ts#(${p})`),
    ],
    properties: ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8', 'P9', 'P10', 'P11', 'P12', 'P13', 'P14', 'P15', 'P16'],
    deviations:
      'For the input of Figure 5 the definition gives another result than the figure prints; P15 tests the former, the printed values are not repeated here.',
  },
  {
    id: 'E9',
    place: 'ADDT, mixed input',
    statement: "x'_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) (sqrt(1 - lambda_t^2) eps + lambda_t eps_delta).",
    code: ['algorithms/training/mixNoise.ts#mixNoise'],
    specs: [`${algorithms}/mixing.spec.ts#(P24)`, `${algorithms}/mixing.spec.ts#(P28)`],
    properties: ['P24', 'P28'],
  },
  {
    id: 'E10',
    place: 'CGPO; Figure 4, Appendix G',
    statement: "delta accumulates the gradients of the guide's loss after one-step denoising, straight through the sort, networks frozen.",
    code: ['algorithms/training/cgpo.ts#cgpo'],
    specs: [`${algorithms}/cgpo.spec.ts#(P29)`, `${algorithms}/cgpo.spec.ts#(P30)`, `${algorithms}/cgpo.spec.ts#(P31)`],
    properties: ['P29', 'P30', 'P31'],
  },
  {
    id: 'E11',
    place: 'ADDT, training loss',
    statement: "|| epsilonTheta(x'_t, t) - n ||^2 for the mixed noise n; it equals gamma_t^2 || x_0 - P(x'_t, t) ||^2.",
    code: ['algorithms/training/denoisingLoss.ts#denoisingLoss'],
    specs: [`${algorithms}/mixing.spec.ts#(P25)`, `${algorithms}/mixing.spec.ts#(P26)`, `${algorithms}/mixing.spec.ts#(P27)`],
    properties: ['P25', 'P26', 'P27'],
  },
  {
    id: 'E12',
    place: 'Ablation without RBGM; Table 6',
    statement:
      "x'_t = sqrt(abar) x_0 + sqrt(1 - abar) (eps + min(gamma_t, 10) delta), delta by PGD on the guide's loss; the model learns all the noise.",
    code: ['algorithms/training/linfAblation.ts#linfSearch', 'algorithms/training/linfAblation.ts#linfStep'],
    specs: [`${algorithms}/addtAblations.spec.ts#(P23)`, `${algorithms}/addtAblations.spec.ts#(P32)`],
    properties: ['P23', 'P32'],
    deviations: 'The 8/255 of the paper is read as pixels of [0,1], as in its attacks.',
  },
  {
    id: 'Appendix G',
    place: 'Appendix G',
    statement: 'One ADDT step: draw t, find eps_delta by CGPO with both networks frozen, mix, and descend the denoising loss.',
    code: [
      'algorithms/training/addt.ts#addtStep',
      'algorithms/training/addt.ts#cleanStep',
      'algorithms/training/noiseProcess.ts#ddpmProcess',
      'algorithms/training/noiseProcess.ts#vpsdeProcess',
      'algorithms/training/noiseProcess.ts#edmProcess',
    ],
    specs: [
      `${algorithms}/addt.spec.ts#(P28)`,
      `${algorithms}/addt.spec.ts#(P29)`,
      `${algorithms}/noiseProcess.spec.ts#(P25)`,
      `${algorithms}/noiseProcess.spec.ts#(P26)`,
      `${algorithms}/noiseProcess.spec.ts#(Appendix G)`,
    ],
    properties: ['P25', 'P26', 'P28', 'P29'],
    deviations: 'Reconstructed from the published code and Figure 4; the text of the appendix was not at hand.',
  },
  {
    id: 'E13',
    place: 'Deterministic White-box',
    statement:
      'A locked noise has one draw per image, the same at every attack step and in the final evaluation; White, DW_Fwd, DW_Rev and DW_Both differ only in what is locked.',
    code: [
      'algorithms/randomness/lockSets.ts#lockSets',
      'algorithms/attacks/dwBox.ts#dwBoxSettings',
      'algorithms/evaluation/robustAccuracy.ts#evaluateBatch',
    ],
    specs: [
      `${randomness}/lockSets.spec.ts#should repeat a locked draw in every context`,
      `${randomness}/lockSets.spec.ts#should keep a draw of its own for each image`,
      `${randomness}/lockSets.spec.ts#should lock the same draws under DW_Both`,
      `${attacks}/dwBox.spec.ts#(P47)`,
      `${attacks}/dwBox.spec.ts#(P50)`,
    ],
    properties: ['P47', 'P50'],
  },
  {
    id: 'E14',
    place: 'Follows from E13; not in the paper',
    statement: 'acc(DW_Both) <= acc(DW_Fwd), acc(DW_Rev) <= acc(White) for optimal attackers; a table that violates it has a weak attack.',
    code: ['algorithms/evaluation/statistics/ordering.ts#orderingViolations'],
    specs: [
      `${statistics}/ordering.spec.ts#(P51)`,
      `${statistics}/ordering.spec.ts#should report each pair out of order`,
      `${statistics}/ordering.spec.ts#should raise a false alarm in less than 1 %`,
    ],
    properties: ['P51'],
  },
  {
    id: 'Purifier gradient',
    place: 'White-box attacks',
    statement:
      'The gradient through the whole purifier is exact, and bitwise the same when every reverse step is recomputed instead of stored.',
    code: ['algorithms/purification/purify.ts#purify', 'core/grad.ts#checkpoint'],
    specs: [
      ...['P45', 'P46', 'P48', 'P49', 'P54', 'P55', 'P56'].map(p => `${algorithms}/purification/purify.spec.ts#(${p})`),
      'spec/core/checkpoint.spec.ts#should give bitwise the value and gradients of the plain loop',
      'spec/core/checkpoint.spec.ts#should keep the peak of a loop',
    ],
    properties: ['P45', 'P46', 'P48', 'P49', 'P54', 'P55', 'P56'],
  },
  {
    id: 'Adjoint gradient',
    place: 'DiffPure, which the paper compares with',
    statement:
      'The adjoint gradient keeps one state for any number of steps, is exact for affine networks, and off by the length of a step else.',
    code: ['algorithms/purification/vpsdeAdjoint.ts#purifyVpsdeAdjoint', 'core/customGradient.ts#customGradient'],
    specs: [
      `${algorithms}/purification/vpsdeAdjoint.spec.ts#should be the exact gradient for a network that is affine`,
      `${algorithms}/purification/vpsdeAdjoint.spec.ts#its error halving`,
      `${algorithms}/purification/vpsdeAdjoint.spec.ts#should take the same memory`,
      `${algorithms}/purification/vpsdeAdjoint.spec.ts#(P49)`,
    ],
    properties: ['P49'],
  },
  {
    id: 'Timesteps',
    place: 'Purification to t* = 0.1',
    statement: 'The purifier starts at t* T and takes the asked number of steps down to no noise.',
    code: ['algorithms/purification/timesteps.ts#paperTimesteps', 'algorithms/purification/timesteps.ts#faithfulTimesteps'],
    specs: [`${algorithms}/purification/timesteps.spec.ts#(P22)`],
    properties: ['P22'],
    deviations:
      'faithfulTimesteps keeps the off-by-one table of the published scripts (audit finding M1); paperTimesteps does not have it.',
  },
  {
    id: 'Op laws',
    place: 'Added: ground under every gradient',
    statement:
      'On every backend each op computes its definition; its gradient, second derivative and adjoint agree with differences of the definition.',
    code: ['core/op.ts#defineOp', 'core/grad.ts#vjp', 'core/grad.ts#valueAndGrad', 'core/apply.ts#apply'],
    specs: [
      'spec/core/opLaws.spec.ts#should equal its definition on',
      'spec/core/opLaws.spec.ts#should have the gradient of its definition',
      'spec/core/opLaws.spec.ts#should have adjoint forward and reverse derivatives',
      'spec/core/opLaws.spec.ts#should have the second derivative of its definition',
      'spec/core/opLaws.spec.ts#should have the same gradient on cpu as on reference',
      'spec/core/grad.spec.ts#should give the Hessian-vector product',
    ],
    properties: ['P54', 'P56'],
  },
  {
    id: 'Memory',
    place: 'Added: attacks of many steps',
    statement: 'A thousand attack steps hold the number of live tensors and the bytes in use constant on every backend.',
    code: ['core/memory.ts#tidy', 'core/memory.ts#keep'],
    specs: ['spec/core/memory.spec.ts#should hold live tensors and bytes constant over 1,000 attack steps'],
    properties: [],
  },
  {
    id: 'Named draws',
    place: 'Added: every random number has a name',
    statement:
      'A draw depends on its name alone, not on batch, order or sharding; an unregistered source throws; attack, selection and report are disjoint.',
    code: ['algorithms/randomness/draws.ts#createDraws'],
    specs: ['P46', 'P48', 'P49', 'P52', 'P53'].map(p => `${randomness}/draws.spec.ts#(${p})`),
    properties: ['P46', 'P48', 'P49', 'P52', 'P53'],
  },
  {
    id: 'Generator',
    place: 'Added: the numbers behind the names',
    statement: 'Threefry-2x32 keys give the published known answers and the values of JAX; uniform and normal draws pass their tests.',
    code: ['core/random/key.ts#foldIn', 'core/random/distributions.ts#normal'],
    specs: [
      'spec/core/random/threefry2x32.spec.ts#published Random123 known answers',
      'spec/core/random/key.spec.ts#should give the keys of JAX',
      'spec/core/random/distributions.spec.ts#should draw the uniform values of JAX',
      'spec/core/random/distributions.spec.ts#Kolmogorov-Smirnov',
      'spec/core/random/normalQuantile.spec.ts#should invert the distribution function',
    ],
    properties: ['P53'],
  },
  {
    id: 'PGD',
    place: 'Attack settings (PGD20 + EoT10)',
    statement:
      'Every iterate is in the ball and the box; projections are idempotent; on a linear model PGD reaches the closed-form optimum.',
    code: ['algorithms/attacks/pgd.ts#pgd', 'algorithms/attacks/projections.ts#projectImage'],
    specs: [...['P61', 'P62', 'P63', 'P64'].map(p => `${attacks}/pgd.spec.ts#(${p})`), `${attacks}/projections.spec.ts#(P61)`],
    properties: ['P61', 'P62', 'P63', 'P64'],
  },
  {
    id: 'EoT',
    place: 'Attack settings (PGD20 + EoT10)',
    statement: 'The EoT gradient is the mean of per-draw gradients; its variance falls as 1/n.',
    code: ['algorithms/attacks/eot.ts#eotGradient'],
    specs: [`${attacks}/eot.spec.ts#(P57)`, `${attacks}/eot.spec.ts#(P58)`, `${attacks}/eot.spec.ts#(P59)`],
    properties: ['P57', 'P58', 'P59'],
  },
  {
    id: 'Evaluation',
    place: 'Robust accuracy',
    statement:
      'The evaluator is calibrated: a no-op attack reports clean accuracy, a planted example is found, a coin defence reports its accuracy.',
    code: ['algorithms/evaluation/robustAccuracy.ts#evaluateBatch', 'algorithms/evaluation/robustAccuracy.ts#judge'],
    specs: ['spec/algorithms/evaluation/robustAccuracy.spec.ts#(P65)', 'spec/algorithms/evaluation/robustAccuracy.spec.ts#(P66)'],
    properties: ['P65', 'P66'],
  },
  {
    id: 'App. L',
    place: 'Appendix L; AutoAttack on random defences',
    statement:
      'The published AutoAttack counts lucky draws, and its repair keeps a smaller bias; the re-evaluation on fresh draws reports the accuracy of a coin defence.',
    code: ['algorithms/evaluation/evaluateEnsemble.ts#evaluateEnsemble', 'algorithms/attacks/presets.ts#attackPresets'],
    specs: [
      'spec/algorithms/evaluation/evaluateEnsemble.spec.ts#(P65)',
      'spec/algorithms/evaluation/evaluateEnsemble.spec.ts#(P66)',
      'spec/algorithms/evaluation/evaluateEnsemble.spec.ts#least of its parts',
    ],
    properties: ['P65', 'P66'],
  },
  {
    id: 'AutoAttack parts',
    place: 'Attack settings (AutoAttack)',
    statement:
      'APGD halves its step as its Algorithm 1 says and reaches the optimum of a linear model, FAB its exact distance; Square uses no gradient; all stay in the ball and the box.',
    code: [
      'algorithms/attacks/apgd.ts#apgdRun',
      'algorithms/attacks/fab.ts#fabRun',
      'algorithms/attacks/square.ts#squareRun',
      'algorithms/attacks/logitLosses.ts#dlrLoss',
      'algorithms/attacks/logitLosses.ts#targetedDlrLoss',
    ],
    specs: [
      `${attacks}/apgd.spec.ts#Algorithm 1 says so`,
      `${attacks}/apgd.spec.ts#(P63)`,
      `${attacks}/fab.spec.ts#exact distance`,
      `${attacks}/square.spec.ts#should not use a gradient`,
      `${attacks}/everyAttack.spec.ts#(P61)`,
      `${attacks}/everyAttack.spec.ts#(P62)`,
      `${attacks}/everyAttack.spec.ts#break with Square`,
      `${attacks}/logitLosses.spec.ts#(P54)`,
    ],
    properties: ['P54', 'P61', 'P62', 'P63'],
  },
  {
    id: 'Attack views',
    place: 'Adaptive attacks on purification (BPDA, DiffAttack)',
    statement:
      'BPDA has the values of the defence and the gradient of the identity; DiffAttack adds the deviated reconstruction with its exact gradient.',
    code: ['algorithms/attacks/bpda.ts#bpdaView', 'algorithms/attacks/diffAttack.ts#diffAttackView'],
    specs: [
      `${attacks}/views.spec.ts#(P60)`,
      `${attacks}/views.spec.ts#should have under BPDA`,
      `${attacks}/views.spec.ts#should add under DiffAttack`,
      `${attacks}/views.spec.ts#central differences of both parts`,
    ],
    properties: ['P60'],
  },
  {
    id: 'Statistics',
    place: 'Added: how sure a table is',
    statement:
      'Wilson and mean intervals cover, McNemar is symmetric and keeps its level, GRIM accepts exactly the accuracies that some count gives.',
    code: [
      'algorithms/evaluation/statistics/wilson.ts#wilson',
      'algorithms/evaluation/statistics/meanInterval.ts#meanInterval',
      'algorithms/evaluation/statistics/mcnemar.ts#mcnemar',
      'algorithms/evaluation/statistics/grim.ts#grim',
    ],
    specs: ['wilson', 'meanInterval', 'mcnemar', 'grim'].map(name => `${statistics}/${name}.spec.ts#(P66)`),
    properties: ['P66'],
  },
  {
    id: 'Claim 4',
    place: 'RBGM and image quality; Table 6',
    statement: 'RBGM keeps the quality of the images (FID) where fine-tuning on a raw l_inf perturbation does not.',
    code: [
      'experiments/quality/quality.ts#measureQuality',
      'algorithms/evaluation/fid.ts#fid',
      'algorithms/evaluation/inceptionScore.ts#inceptionScore',
      'algorithms/purification/sample.ts#sample',
    ],
    specs: [
      `${algorithms}/evaluation/fid.spec.ts#frechetDistance`,
      `${algorithms}/evaluation/fid.spec.ts#fid`,
      `${algorithms}/evaluation/inceptionScore.spec.ts#inceptionScore`,
      `${algorithms}/evaluation/imageDistance.spec.ts#ssim`,
      `${algorithms}/purification/sample.spec.ts#sample`,
      'spec/experiments/quality/quality.spec.ts#should measure real, purified and sampled',
    ],
    properties: [],
    deviations: 'The specs test the measures; whether the claim holds is measured by npm run quality, on digits and without InceptionV3.',
  },
  {
    id: 'Plain denoisers',
    place: 'Added, asked for by reviewers: noise, then any denoiser',
    statement: 'The linear MMSE estimate is the conditional mean of Gaussian images, no affine map is better, and its gradient is exact.',
    code: [
      'algorithms/baselines/affineDenoiser.ts#linearMmse',
      'algorithms/baselines/gaussianBlur.ts#bestGaussianBlur',
      'algorithms/baselines/noiseAndDenoise.ts#purifyPlain',
      'algorithms/baselines/oneStepDenoiser.ts#oneStepDenoiser',
    ],
    specs: ['linearMmse', 'expectedSquaredError', 'gaussianBlur', 'purifyPlain', 'oneStepDenoiser'].map(
      name => `${algorithms}/baselines/affineDenoiser.spec.ts#${name}`,
    ),
    properties: [],
  },
  {
    id: 'Smoothing',
    place: 'Added: certified accuracy',
    statement:
      'CERTIFY exceeds the exact radius of a linear classifier for at most a share alpha of certificates; its bound covers exactly.',
    code: [
      'algorithms/evaluation/smoothing.ts#certify',
      'algorithms/evaluation/smoothing.ts#predict',
      'algorithms/evaluation/statistics/clopperPearson.ts#clopperPearsonLower',
    ],
    specs: [
      `${algorithms}/evaluation/smoothing.spec.ts#certify`,
      `${algorithms}/evaluation/smoothing.spec.ts#predict`,
      `${statistics}/clopperPearson.spec.ts#clopperPearsonLower`,
    ],
    properties: [],
  },
]
