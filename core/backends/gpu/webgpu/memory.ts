/** Makes buffers. */
export type BufferMaker = Pick<GPUDevice, 'createBuffer'>

export interface Memory extends BufferMaker {
  /** The error, if any, of the buffer made last. Never rejects. */
  readonly last: Promise<GPUError | null>
}

/** Asks, of each buffer that is made, whether the device had room for it: a scope costs as much as a small kernel, so only then. */
export const createMemory = (device: GPUDevice): Memory => {
  let last: Promise<GPUError | null> = Promise.resolve(null)
  return {
    createBuffer(descriptor) {
      device.pushErrorScope('out-of-memory')
      const buffer = device.createBuffer(descriptor)
      last = device.popErrorScope().catch(() => null)
      return buffer
    },
    get last() {
      return last
    },
  }
}
