/** A process that runs fuzz cases: told on its command line which, as JSON, it sends their tally to its parent. */
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { useBackend } from '../../core/index.ts'
import { type FuzzTask, PLACE, runCases } from './tally.ts'

const task = JSON.parse(process.argv[2]!) as FuzzTask
await useBackend('cpu')
const place = openSync(join(task.folder, PLACE), 'w')
const tally = await runCases(task, index => writeSync(place, String(index).padEnd(16), 0))
process.send?.(tally, () => process.disconnect())
