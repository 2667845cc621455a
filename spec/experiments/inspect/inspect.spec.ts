import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createResNet } from '../../../algorithms/models/resNet.ts'
import { createUnet2d } from '../../../algorithms/models/unet2d.ts'
import { createWideResNet } from '../../../algorithms/models/wideResNet.ts'
import { writeSafetensors } from '../../../core/io/safetensors.ts'
import { guessNetwork } from '../../../experiments/inspect/guess.ts'
import type { Shapes } from '../../../experiments/inspect/shapes.ts'
import { dict, legacyCheckpoint, storageNode, storageOf, tensorNode } from '../../core/io/torch/torchWriter.ts'
import { projectRoot } from '../../support/sources.ts'
import { callProgram } from '../cli/callProgram.ts'

/** What the published state dict of the CIFAR-10 UNet tells of its config.json (google/ddpm-cifar10-32). */
const CIFAR_UNET = {
  in_channels: 3,
  out_channels: 3,
  block_out_channels: [128, 256, 256, 256],
  layers_per_block: 2,
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'UpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'],
  downsample_type: 'conv',
  upsample_type: 'conv',
  resnet_time_scale_shift: 'default',
  time_embedding_type: 'positional',
  add_attention: true,
  class_embed_type: null,
  num_class_embeds: null,
} as const

const CONDITIONAL_UNET = {
  in_channels: 1,
  out_channels: 2,
  block_out_channels: [20, 40],
  layers_per_block: 1,
  down_block_types: ['AttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'AttnUpBlock2D'],
  downsample_type: 'conv',
  upsample_type: 'conv',
  resnet_time_scale_shift: 'default',
  time_embedding_type: 'fourier',
  add_attention: false,
  class_embed_type: null,
  num_class_embeds: 7,
} as const

const WRN = { implementation: 'wrn', depth: 28, widenFactor: 10, inChannels: 3, classes: 100 } as const
const WIDE = { implementation: 'wide', depth: 16, widenFactor: 2, inChannels: 1, classes: 10 } as const
const RESNET_20 = { implementation: 'heCifar', depth: 20, shortcut: 'A', inChannels: 3, classes: 10, widths: [16, 32, 64] } as const
const RESNET_20B = { ...RESNET_20, shortcut: 'B' } as const
const RESNET_18 = { implementation: 'cifar', depth: 18, shortcut: 'B', inChannels: 3, classes: 10, widths: [64, 128, 256, 512] } as const
const RESNET_50 = { ...RESNET_18, implementation: 'imagenet', depth: 50, classes: 1000 } as const

const withBuffers = (network: { parameterShapes(): Shapes; bufferShapes(): Shapes }): Shapes => ({
  ...network.parameterShapes(),
  ...network.bufferShapes(),
})

const unetShapes = (config: typeof CIFAR_UNET | typeof CONDITIONAL_UNET): Shapes =>
  createUnet2d({ ...config, norm_num_groups: 4, attention_head_dim: null }).parameterShapes()

const NETWORKS: readonly (readonly [network: string, config: object, shapes: Shapes])[] = [
  ['UNet2DModel', CIFAR_UNET, unetShapes(CIFAR_UNET)],
  ['UNet2DModel', CONDITIONAL_UNET, unetShapes(CONDITIONAL_UNET)],
  ...[WRN, WIDE].map(config => ['WideResNet', config, withBuffers(createWideResNet(config))] as const),
  ...[RESNET_20, RESNET_20B, RESNET_18, RESNET_50].map(config => ['ResNet', config, withBuffers(createResNet(config))] as const),
]

describe('guess of the network', () => {
  it.each(NETWORKS)('should be certain of a %s with %j by its names and shapes', (network, config, shapes) => {
    const guess = guessNetwork(shapes)!
    expect(guess).toMatchObject({ network, sure: 'certain', agreeing: guess.compared })
    expect(guess.config).toEqual(config)
  })

  it('should know old names of attention, and do without counters of batches', () => {
    const old = Object.entries(unetShapes(CIFAR_UNET)).map(([name, shape]) => [name.replace(/\.to_q\./, '.query.'), shape] as const)
    expect(guessNetwork(Object.fromEntries(old))!.sure).toBe('certain')
    const uncounted = Object.entries(withBuffers(createResNet(RESNET_20))).filter(([name]) => !name.endsWith('num_batches_tracked'))
    expect(guessNetwork(Object.fromEntries(uncounted))!.sure).toBe('certain')
  })

  it('should be less sure the less agrees', () => {
    const shapes = withBuffers(createResNet(RESNET_18))
    const { 'linear.bias': _, ...incomplete } = shapes
    const guess = guessNetwork(incomplete)!
    expect([guess.sure, guess.compared - guess.agreeing]).toEqual(['likely', 1])
    expect(guessNetwork({ ...shapes, 'linear.bias': [11], more: [1] })).toMatchObject({ sure: 'likely', agreeing: guess.agreeing })
    const odd = Object.fromEntries(Object.keys(shapes).map(name => [name, [2, 2, 2]]))
    expect(guessNetwork(odd)).toMatchObject({ network: 'ResNet', sure: 'possible', agreeing: 0 })
  })

  it.each<[Shapes]>([[{}], [{ weight: [2, 2] }], [{ 'conv_in.weight': [1] }]])('should be silent on %j', shapes => {
    expect(guessNetwork(shapes)).toBeNull()
  })
})

describe('inspect', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'inspect-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const saved = (name: string, bytes: Uint8Array | string): string => {
    writeFileSync(join(folder, name), bytes)
    return join(folder, name)
  }

  const zeros = (shape: readonly number[]) => ({ dtype: 'F16', shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) }) as const

  const resNetFile = (): string => {
    const tensors = Object.entries(withBuffers(createResNet(RESNET_20))).map(([name, shape]) => [name, zeros(shape)] as const)
    return saved('r.safetensors', writeSafetensors(Object.fromEntries(tensors), { note: 'two\nlines' }))
  }

  it('should list names, shapes, dtypes, counts and the network', async () => {
    const { code, stdout } = await callProgram('inspect', resNetFile())
    expect(code).toBe(0)
    expect(stdout).toMatch(/^conv1\.weight +\[16, 3, 3, 3\] +F16$/m)
    expect(stdout).toMatch(/^format {6}safetensors\ntensors {5}116\nparameters {2}269,722, and 1,395 values of running statistics$/m)
    expect(stdout).toMatch(/^metadata {4}note: two lines$/m)
    expect(stdout).toMatch(/^network {5}ResNet, certain: every name and shape agrees\n +implementation: "heCifar"\n +depth: 20$/m)
  })

  it('should tell the same as JSON', async () => {
    const file = resNetFile()
    const { stdout } = await callProgram('inspect', file, '--json')
    const answer = JSON.parse(stdout)
    expect(answer).toMatchObject({ file, format: 'safetensors', parameters: 269_722, buffers: 1395, metadata: { note: 'two\nlines' } })
    expect(answer.tensors[0]).toEqual({ name: 'conv1.weight', shape: [16, 3, 3, 3], dtype: 'F16' })
    expect(answer.guess).toMatchObject({ network: 'ResNet', sure: 'certain', config: RESNET_20 })
  })

  it('should name what it refuses in one line, and read it as data on request', async () => {
    const storage = storageOf('0', { dtype: 'F32', shape: [2], values: new Float32Array(2) })
    const parameters = dict({ weight: tensorNode(storageNode(storage), { shape: [2] }) })
    const state = dict({ _parameters: parameters, _buffers: dict({}), _modules: dict({}) })
    const net = { make: { global: ['nets', 'Net'] as const }, state }
    const file = saved('m.t7', legacyCheckpoint(dict({ wrapped: dict({ net }) }), [storage]))
    const refused = await callProgram('inspect', file)
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^[^\n]*asks for "nets\.Net", [^\n]+\n$/)
    const { code, stdout } = await callProgram('inspect', file, '--inert', '--state-dict', 'wrapped.net')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^weight {2}\[2\] {2}F32$/m)
    expect(stdout).toMatch(/^parameters {2}2\nnetwork {5}not recognised/m)
  })

  it('should refuse to look for a state dict inside a safetensors file', async () => {
    const file = resNetFile()
    expect(await callProgram('inspect', file, '--state-dict', 'model.ema')).toEqual({
      code: 2,
      stdout: '',
      stderr: `--state-dict is "model.ema", but ${file} is a safetensors file, which has no nested state dict; leave the option away\n`,
    })
  })

  it('should be called by the script that its help names', async () => {
    expect((await callProgram('inspect', '--help')).stdout).toContain('Usage: npm run inspect -- [options] <file>')
    const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'))
    expect(scripts.inspect).toBe('tsx experiments/cli/main.ts inspect')
  })

  it('should end with one line on a bad file', async () => {
    const ended = await callProgram('inspect', saved('page.pt', '<html>'))
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toMatch(/^[^\n]*page\.pt: the file is neither safetensors nor written by torch\.save[^\n]*\n$/)
    expect((await callProgram('inspect', join(folder, 'none'))).stderr).toMatch(
      /^[^\n]*none: reading failed: no such file or folder[^\n]*\n$/,
    )
  })
})
