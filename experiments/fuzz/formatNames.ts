/** The file formats that are read damaged, as they are named on the command line. */
export const fuzzFormatNames = [
  'safetensors',
  'torch-zip',
  'torch-pickle',
  'torch-legacy',
  'cifar-pickle',
  'cifar-binary',
  'idx',
  'csv',
  'csv-gzip',
  'unet-config',
  'scheduler-config',
  'png',
  'jpeg',
  'tar',
] as const

export type FuzzFormatName = (typeof fuzzFormatNames)[number]
