import type { CpuKernel } from './kernel.ts'

// biome-ignore lint/suspicious/noExplicitAny: each kernel knows the attributes of its op.
type AnyKernel = CpuKernel<any>

/** The kernels of the cpu backend by the name of the op they compute. */
export const kernels: ReadonlyMap<string, AnyKernel> = new Map<string, AnyKernel>([])
