/** A resumable run of 1,000 units. Arguments: root folder, milliseconds of synchronous work per unit. */
import { runMain } from '../../../../experiments/support/errors.ts'
import { watchInterrupt } from '../../../../experiments/support/interrupt.ts'
import { openRun } from '../../../../experiments/support/runStore.ts'

const [root, milliseconds] = process.argv.slice(2)

await runMain(async () => {
  const interrupt = watchInterrupt({ resumeCommand: 'npm start -- --id killed' })
  const run = openRun({ root, id: 'killed', options: { seed: 1 } })
  for (let unit = 0; unit < 1000; unit++) {
    const until = Date.now() + Number(milliseconds)
    while (Date.now() < until);
    if (run.has(`unit ${unit}`)) continue
    run.put(`unit ${unit}`, { square: unit * unit, filler: 'x'.repeat(500) })
    process.stdout.write(`done ${unit}\n`)
    await interrupt.afterUnit()
  }
})
