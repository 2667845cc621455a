import { type Backend, setBackend } from './backend.ts'

const makers: Record<string, () => Promise<Backend>> = {
  reference: async () => (await import('./reference/reference.ts')).createReference(),
  fakeAsync: async () => (await import('./reference/reference.ts')).createFakeAsync(),
  cpu: async () => (await import('./cpu/cpu.ts')).createCpu(),
  gpu: async () => (await import('./gpu/gpu.ts')).createGpu('best'),
  'gpu:webgpu': async () => (await import('./gpu/gpu.ts')).createGpu('webgpu'),
  'gpu:webgpu:half': async () => (await import('./gpu/gpu.ts')).createGpu('webgpu', { abilities: { half: true } }),
  'gpu:headlessgl': async () => (await import('./gpu/gpu.ts')).createGpu('headlessgl'),
  'gpu:webasm': async () => (await import('./gpu/gpu.ts')).createGpu('webasm'),
  'gpu:cpu': async () => (await import('./gpu/gpu.ts')).createGpu('cpu'),
}

const loaded = new Map<string, Promise<Backend>>()

let wrap = (backend: Backend): Backend => backend

/** What is put around each backend that is made from now on, such as a profiler. */
export const wrapBackends = (around: (backend: Backend) => Backend): void => {
  wrap = around
}

export const backendNames: readonly string[] = Object.keys(makers)

/** The backend of that name, made on first use. Throws when there is none. */
export const loadBackend = (name: string): Promise<Backend> => {
  const make = Object.hasOwn(makers, name) ? makers[name] : undefined
  if (!make) return Promise.reject(new Error(`backend: there is no "${name}"; choose one of ${backendNames.join(', ')}`))
  let backend = loaded.get(name)
  if (!backend) {
    backend = make().then(made => wrap(made))
    loaded.set(name, backend)
  }
  return backend
}

/** Loads a backend and makes it the current one. */
export const useBackend = async (name: string): Promise<Backend> => setBackend(await loadBackend(name))
