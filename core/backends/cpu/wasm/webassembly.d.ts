/** The part of the WebAssembly JavaScript interface used here; the ES library has no types for it, and the DOM's brings a browser. */
declare namespace WebAssembly {
  class Memory {
    constructor(options: { readonly initial: number; readonly maximum: number; readonly shared: boolean })
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>)
  }
  class Instance {
    constructor(module: Module, imports: { readonly env: { readonly memory: Memory } })
    readonly exports: Readonly<Record<string, unknown>>
  }
  const validate: (bytes: Uint8Array<ArrayBuffer>) => boolean
}
