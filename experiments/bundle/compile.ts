import { createRequire } from 'node:module'

interface Esbuild {
  transform(
    source: string,
    options: { readonly loader: 'ts'; readonly format: 'esm'; readonly target: string; readonly sourcefile: string },
  ): Promise<{ readonly code: string }>
}

/** The compiler that tsx runs sources with, found where tsx finds it. */
const esbuild = (): Esbuild => {
  const here = createRequire(import.meta.url)
  return createRequire(here.resolve('tsx'))('esbuild')
}

/** TypeScript as JavaScript for Node 20, statement by statement; imports keep naming `.ts` files. */
export const compile = async (source: string, path: string): Promise<string> =>
  (await esbuild().transform(source, { loader: 'ts', format: 'esm', target: 'node20', sourcefile: path })).code
