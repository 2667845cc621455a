// A contestant for tests, whose version is its process id: says and does what its first argument tells, as JSON { name, log, on: { prepare, sample } }.
import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const { name, log, on = {}, hello = { hello: { version: String(process.pid) } } } = JSON.parse(process.argv[2])
/** @param {object | string} answer */
const say = answer => process.stdout.write(typeof answer === 'string' ? `${answer}\n` : `${JSON.stringify(answer)}\n`)
/** @type {Record<string, object>} */
const usual = {
  prepare: { prepared: { checksum: 3 } },
  sample: { sample: { wallMs: 2, cpuMs: 1, repetitions: 5 } },
  release: { released: true },
}
say(hello)
for await (const line of createInterface({ input: process.stdin })) {
  const kind = String(Object.keys(JSON.parse(line))[0])
  if (log) appendFileSync(log, `${name} ${kind}\n`)
  const act = on[kind] ?? 'answer'
  if (act === 'die') {
    process.stderr.write('SomeError: out of luck\n    at nowhere\n')
    process.exit(3)
  }
  if (act === 'late') await new Promise(resolve => setTimeout(resolve, 600))
  if (act !== 'hang') say(act === 'answer' || act === 'late' ? usual[kind] : act)
}
