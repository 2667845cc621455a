import type { Client } from './client.ts'
import type { Answer, Sample } from './protocol.ts'

/** One work in the time that is left of each when all run at once; processor time as if one had done it. */
const combined = (samples: readonly Sample[]): Sample => {
  const perMs = samples.reduce((sum, { wallMs }) => sum + 1 / wallMs, 0)
  return {
    wallMs: 1 / perMs,
    cpuMs: samples.reduce((sum, { cpuMs, wallMs }) => sum + cpuMs / wallMs, 0) / perMs,
    repetitions: samples.reduce((sum, { repetitions }) => sum + repetitions, 0),
  }
}

/**
 * Several processes as one contestant: all are asked at once and each does the whole work for itself. Against the time of
 * one process alone this shows what the machine's processors gain at all, with nothing to share and nobody to wait for:
 * two virtual processors may be one core, and a neighbour's work takes its part.
 */
export const processes = (clients: readonly Client[]): Client => ({
  async ask(question, limitMs) {
    const answers = await Promise.all(clients.map(client => client.ask(question, limitMs)))
    const samples = answers.flatMap(answer => (answer && 'sample' in answer ? [answer.sample] : []))
    if (samples.length === clients.length) return { sample: combined(samples) }
    const unable = answers.find((answer): answer is Answer => answer !== undefined && 'cannot' in answer)
    return unable ?? (answers.includes(undefined) ? undefined : answers[0])
  },
  version: async () => (await Promise.all(clients.map(client => client.version())))[0]!,
  close: () => {
    for (const client of clients) client.close()
  },
})
