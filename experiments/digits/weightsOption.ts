import { Option } from 'commander'
import { listOf, pathName } from '../cli/arguments.ts'
import { shippedWeights } from './shippedWeights.ts'

const defaults = [shippedWeights]

/** `--weights` of commands that take the shipped weights unless told otherwise. */
export const weightsOption = (): Option =>
  new Option('--weights <folders...>', 'folders searched for weights')
    .default(defaults, 'those that come with the project')
    .argParser(listOf(pathName, defaults))
