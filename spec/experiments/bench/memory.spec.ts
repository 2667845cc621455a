import { describe, expect, it } from 'vitest'
import { unet2dConfig } from '../../../algorithms/models/unet2d/config.ts'
import { formatMemory, measureMemory } from '../../../experiments/bench/memory.ts'
import { callProgram } from '../cli/callProgram.ts'

const config = unet2dConfig({
  block_out_channels: [4, 8],
  down_block_types: ['DownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'UpBlock2D'],
  layers_per_block: 1,
  norm_num_groups: 2,
})

describe('bench --memory', () => {
  it('should find one image more for each further step, and no more', async () => {
    const { parameters, rows } = await measureMemory({ backend: 'cpu', steps: [6, 2], config })
    expect(parameters).toBeGreaterThan(1000)
    expect(rows.map(({ steps }) => steps)).toEqual([2, 6])
    const [two, six] = rows.map(({ bytesPeak }) => bytesPeak) as [number, number]
    const image = 3 * 32 * 32 * Float32Array.BYTES_PER_ELEMENT
    expect((six - two) / 4).toBe(image)
  })

  it('should hold each number of steps to 3 GiB, and tell what each further one takes', () => {
    const text = formatMemory({
      parameters: 35.7e6,
      rows: [
        { steps: 1, bytesPeak: 3 * 2 ** 30 },
        { steps: 3, bytesPeak: 3 * 2 ** 30 + 2048 },
      ],
    })
    expect(text).toMatch(/^1 +3072\.0 MiB +✔ bar\n3 +3072\.0 MiB +✘ miss\neach further step takes 1\.0 KiB more\n$/m)
    expect(formatMemory({ parameters: 1, rows: [{ steps: 1, bytesPeak: 1 }] })).not.toContain('further')
  })

  it.each([
    ['--memory 0', /Use a whole number of at least 1\./],
    ['--memory 11 1001', /Use at most 1000, the timesteps of the model\./],
    ['--memory --peers --quick', /^--memory times nothing, which --peers, --quick is for; give one of them\n$/],
  ])('should refuse %s in one line', async (line, message) => {
    const ended = await callProgram('bench', ...line.split(' '))
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(message)
  })
})
