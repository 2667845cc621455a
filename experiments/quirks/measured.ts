import { fileURLToPath } from 'node:url'

/** The results that come with the project, written by `npm run quirks -- --write`. */
export const committedResults = fileURLToPath(new URL('./measured.json', import.meta.url))
