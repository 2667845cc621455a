import { fileURLToPath } from 'node:url'

/** Folder of the weights that come with the project; `npm run train -- --preset digits` makes them anew. */
export const shippedWeights = fileURLToPath(new URL('./weights/', import.meta.url))
