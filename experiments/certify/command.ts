import { Command, Option } from 'commander'
import { number, wholeNumber } from '../cli/arguments.ts'
import { weightsOption } from '../digits/weightsOption.ts'
import { runBackends } from '../gpu/presentBackend.ts'
import type { CertifyCall } from './runCertify.ts'

/** `certify`: certified accuracy by randomised smoothing, with and without a denoiser. */
export const certifyCommand = (): Command =>
  new Command('certify')
    .description(
      'certified accuracy by randomised smoothing (Cohen et al. 2019): classifier alone, behind plain denoisers, behind diffusion',
    )
    .option('--models <names...>', 'weights of diffusion models that denoise in one step', ['vanilla', 'addt-scaled'])
    .addOption(weightsOption())
    .option('--sigma <deviation>', 'of the noise, pixels in [0,1]', number, 0.25)
    .option('--images <n>', 'test images, at most 500', wholeNumber(1, 500), 64)
    .option('--samples <n>', 'noises per image; the largest radius is sigma Phi^-1(alpha^(1/n))', wholeNumber(1), 200)
    .option('--selection <n>', 'other noises that guess the class', wholeNumber(1), 30)
    .option('--alpha <probability>', 'that a certificate is wrong', number, 0.001)
    .option('--seed <n>', 'seed of the noise', wholeNumber(0), 0)
    .addOption(new Option('--backend <name>', 'what computes').choices(runBackends).default('cpu'))
    .option('--json', 'print every certificate, the options and what it was computed with as JSON')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Examples:
  npm run certify
  npm run certify -- --sigma 0.5 --samples 1000 --images 200
  npm run certify -- --models base vanilla addt-paper addt-scaled --json`,
    )
    .action(async (options: CertifyCall) => (await import('./runCertify.ts')).runCertify(options))
