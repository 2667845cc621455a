import type { AuditResults } from '../../dwBox/results.ts'
import { formatDuration } from '../../support/progress.ts'
import { html, type Markup } from './markup.ts'

type Entry = readonly [name: string, value: string]

/** Options as `attack.steps` and the like, one entry per leaf. */
export const flattenOptions = (value: unknown, path = ''): Entry[] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [[path, typeof value === 'string' ? value : (JSON.stringify(value) ?? 'not set')]]
  }
  return Object.entries(value).flatMap(([key, item]) => flattenOptions(item, path === '' ? key : `${path}.${key}`))
}

const list = (entries: readonly Entry[]): Markup =>
  html`<dl>${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`

/** What is needed to repeat the run, and to explain a difference. */
export const provenanceDetails = ({
  id,
  command,
  provenance,
  options,
  seconds,
}: Pick<AuditResults, 'id' | 'command' | 'provenance' | 'options' | 'seconds'>): Markup => {
  const { git, cpu, dependencies } = provenance
  return html`<details><summary>Options and provenance</summary>
<p>Repeat the run with</p><pre>${command}</pre>
<h3>Run</h3>${list([
    ['run', id],
    ['seed', String(provenance.seed)],
    ['backend', provenance.backend],
    ['commit', git ? git.commit + (git.dirty ? ', with uncommitted changes' : '') : 'not in a git checkout'],
    ['version', provenance.version],
    ['node', provenance.node],
    ['platform', provenance.platform],
    ['cpu', `${cpu.model}, ${cpu.count} threads`],
    ['started', provenance.time],
    ['took', formatDuration(seconds)],
  ])}
<h3>Options</h3>${list(flattenOptions(options))}
<h3>Dependencies</h3>${list(Object.entries(dependencies).map(([name, version]) => [name, version ?? 'not installed']))}</details>`
}
