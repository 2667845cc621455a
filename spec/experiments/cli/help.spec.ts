import { describe, expect, it } from 'vitest'
import { callProgram } from './callProgram.ts'

describe('--help', () => {
  it.each([
    ['run', 'npm start --'],
    ['train', 'npm run train --'],
    ['evaluate', 'npm run evaluate --'],
    ['parity', 'npm run parity --'],
    ['audit', 'npm run audit --'],
    ['quirks', 'npm run quirks --'],
    ['landscape', 'npm run landscape --'],
    ['quality', 'npm run quality --'],
    ['certify', 'npm run certify --'],
    ['inspect', 'npm run inspect --'],
  ])('should tell how %s is called', async (name, call) => {
    const { code, stdout, stderr } = await callProgram(name, '--help')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain(`Usage: ${call} [options]`)
  })

  it.each([
    ['run', 'npm start'],
    ['train', 'npm run train'],
    ['evaluate', 'npm run evaluate'],
    ['parity', 'npm run parity'],
    ['audit', 'npm run audit'],
    ['quirks', 'npm run quirks'],
    ['landscape', 'npm run landscape'],
    ['quality', 'npm run quality'],
    ['certify', 'npm run certify'],
    ['inspect', 'npm run inspect'],
  ])('should give examples of %s', async (name, call) => {
    const { stdout } = await callProgram(name, '--help')
    const examples = stdout.split('Examples:\n')[1]!.trim().split('\n')
    expect(examples.length).toBeGreaterThan(2)
    for (const example of examples) expect(example.trim().startsWith(call)).toBe(true)
  })

  it('should list every command', async () => {
    const { code, stdout } = await callProgram('--help')
    expect(code).toBe(0)
    for (const name of ['run', 'train', 'evaluate', 'parity', 'audit', 'quirks']) expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'))
  })

  it('should show the defaults of what decides a run', async () => {
    const { stdout } = await callProgram('run', '--help')
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/--images <n> test images where all noise stays random \(default: 128\)/)
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/--epsilon <radius> .{1,60} \(default: 0\.15\)/)
  })
})
