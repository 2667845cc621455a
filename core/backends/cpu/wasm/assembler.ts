/**
 * A small WebAssembly assembler: functions are written instruction by instruction and encoded to a binary module.
 *
 * Only what the kernels need: i32, f32 and v128 values, one imported memory (`env.memory`), structured control flow,
 * SIMD and relaxed SIMD. The encoding follows the WebAssembly core specification, sections 5.2 to 5.5.
 */

import { type MemoryInstruction, memory, type PlainInstruction, plain, type SimdInstruction, simd } from './instructions.ts'

export type { MemoryInstruction, PlainInstruction, SimdInstruction } from './instructions.ts'

export type ValueType = 'i32' | 'f32' | 'v128'

const typeCode: Record<ValueType, number> = { i32: 0x7f, f32: 0x7d, v128: 0x7b }

/** Unsigned LEB128. */
const unsignedLeb = (value: number): number[] => {
  const bytes: number[] = []
  let rest = value >>> 0
  do {
    const byte = rest & 0x7f
    rest >>>= 7
    bytes.push(rest ? byte | 0x80 : byte)
  } while (rest)
  return bytes
}

/** Signed LEB128. */
const signedLeb = (value: number): number[] => {
  const bytes: number[] = []
  let rest = value | 0
  for (;;) {
    const byte = rest & 0x7f
    rest >>= 7
    const done = (rest === 0 && !(byte & 0x40)) || (rest === -1 && byte & 0x40)
    bytes.push(done ? byte : byte | 0x80)
    if (done) return bytes
  }
}

const utf8 = (text: string): number[] => {
  const bytes = [...new TextEncoder().encode(text)]
  return [...unsignedLeb(bytes.length), ...bytes]
}

/** A local variable or parameter of a function. */
export interface Local {
  readonly index: number
  readonly type: ValueType
}

/** Writes the body of one function. Every method appends instructions and returns the builder, so lines chain. */
export class FunctionBuilder {
  readonly code: number[] = []
  private readonly extra: ValueType[] = []
  private readonly prologue: number[] = []
  private readonly constants = new Map<string, Local>()

  constructor(
    readonly name: string,
    readonly index: number,
    readonly parameters: readonly ValueType[],
    readonly results: readonly ValueType[],
  ) {}

  /** The i-th parameter as a local. */
  parameter(i: number): Local {
    return { index: i, type: this.parameters[i]! }
  }

  /** Declares a new local, initially zero. */
  local(type: ValueType): Local {
    this.extra.push(type)
    return { index: this.parameters.length + this.extra.length - 1, type }
  }

  locals(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type))
  }

  /** A local that holds a v128 constant (16 bytes) throughout the function, made once before the body; never set it. */
  constant(bytes: Uint8Array): Local {
    const key = bytes.join()
    let local = this.constants.get(key)
    if (!local) {
      local = this.local('v128')
      this.constants.set(key, local)
      this.prologue.push(0xfd, 0x0c, ...bytes, 0x21, ...unsignedLeb(local.index))
    }
    return local
  }

  private raw(...bytes: number[]): this {
    for (const byte of bytes) this.code.push(byte)
    return this
  }

  get(local: Local): this {
    return this.raw(0x20, ...unsignedLeb(local.index))
  }
  set(local: Local): this {
    return this.raw(0x21, ...unsignedLeb(local.index))
  }
  tee(local: Local): this {
    return this.raw(0x22, ...unsignedLeb(local.index))
  }
  i32(value: number): this {
    return this.raw(0x41, ...signedLeb(value))
  }
  f32(value: number): this {
    return this.raw(0x43, ...new Uint8Array(new Float32Array([value]).buffer))
  }
  /** A v128 constant of four equal floats. */
  f32x4(value: number): this {
    const bytes = new Uint8Array(new Float32Array([value, value, value, value]).buffer)
    return this.raw(0xfd, 0x0c, ...bytes)
  }
  /** A v128 constant of four equal integers. */
  i32x4(value: number): this {
    const bytes = new Uint8Array(new Int32Array([value, value, value, value]).buffer)
    return this.raw(0xfd, 0x0c, ...bytes)
  }
  /** A v128 constant of four integers. */
  i32x4Lanes(lanes: readonly [number, number, number, number]): this {
    return this.raw(0xfd, 0x0c, ...new Uint8Array(new Int32Array(lanes).buffer))
  }
  op(name: PlainInstruction): this {
    return this.raw(plain[name])
  }
  simd(name: SimdInstruction): this {
    return this.raw(0xfd, ...unsignedLeb(simd[name]))
  }
  /** Load or store at `address + offset` (bytes); a store takes address, value. */
  mem(name: MemoryInstruction, offset = 0): this {
    const [code, isSimd, align] = memory[name]
    return isSimd ? this.raw(0xfd, ...unsignedLeb(code), align, ...unsignedLeb(offset)) : this.raw(code, align, ...unsignedLeb(offset))
  }
  /** Stores one 32-bit or one 64-bit lane of a vector, the first unless told; takes address, value. */
  storeLanes(count: 1 | 2, offset = 0, lane = 0): this {
    return this.raw(0xfd, count === 1 ? 0x5a : 0x5b, 2, ...unsignedLeb(offset), lane)
  }
  /** memory.copy: takes destination, source, bytes; the ranges may overlap. */
  memoryCopy(): this {
    return this.raw(0xfc, 0x0a, 0, 0)
  }
  /** memory.fill: takes destination, byte value, bytes. */
  memoryFill(): this {
    return this.raw(0xfc, 0x0b, 0)
  }
  /** i8x16.shuffle given as four 32-bit lanes, 0..3 from the first operand and 4..7 from the second. */
  shuffle32(lanes: readonly [number, number, number, number]): this {
    return this.raw(0xfd, 0x0d, ...lanes.flatMap(lane => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]))
  }
  /** f32x4.extract_lane. */
  extractLane(lane: number): this {
    return this.raw(0xfd, 0x1f, lane)
  }
  /** f32x4.replace_lane: takes vector, scalar. */
  replaceLane(lane: number): this {
    return this.raw(0xfd, 0x20, lane)
  }
  call(target: FunctionBuilder): this {
    return this.raw(0x10, ...unsignedLeb(target.index))
  }
  branch(depth: number): this {
    return this.raw(0x0c, ...unsignedLeb(depth))
  }
  branchIf(depth: number): this {
    return this.raw(0x0d, ...unsignedLeb(depth))
  }
  /** `block … end`; branch depth 0 inside leaves it. */
  block(body: () => void): this {
    this.raw(0x02, 0x40)
    body()
    return this.raw(0x0b)
  }
  /** `loop … end`; branch depth 0 inside repeats it. */
  loop(body: () => void): this {
    this.raw(0x03, 0x40)
    body()
    return this.raw(0x0b)
  }
  /** `if … else … end` on the i32 at the top of the stack. */
  if(then: () => void, otherwise?: () => void): this {
    this.raw(0x04, 0x40)
    then()
    if (otherwise) {
      this.raw(0x05)
      otherwise()
    }
    return this.raw(0x0b)
  }
  /** local += constant (i32). */
  increment(local: Local, amount: number): this {
    return this.get(local).i32(amount).op('i32Add').set(local)
  }
  /** Runs the body while `counter` (i32, > 0) counts down to zero by `step`; skipped when it is below one step. */
  countdown(counter: Local, body: () => void, step = 1): this {
    return this.block(() => {
      this.loop(() => {
        this.get(counter).i32(step).op('i32LtS').branchIf(1)
        body()
        this.increment(counter, -step).branch(0)
      })
    })
  }

  encode(): number[] {
    const locals = [...unsignedLeb(this.extra.length), ...this.extra.flatMap(type => [1, typeCode[type]])]
    const body = [...locals, ...this.prologue, ...this.code, 0x0b]
    return [...unsignedLeb(body.length), ...body]
  }
}

/** Collects functions and encodes them as one module importing `env.memory`. Every function is exported by its name. */
export class ModuleBuilder {
  private readonly functions: FunctionBuilder[] = []

  function(
    name: string,
    parameters: readonly ValueType[],
    body: (f: FunctionBuilder, ...p: Local[]) => void,
    results: readonly ValueType[] = [],
  ): FunctionBuilder {
    const f = new FunctionBuilder(name, this.functions.length, parameters, results)
    this.functions.push(f)
    body(f, ...parameters.map((_, i) => f.parameter(i)))
    return f
  }

  /** The binary module; `maximumPages` (64 KiB each) must equal that of the shared memory it is linked with. */
  encode({ shared, maximumPages }: { shared: boolean; maximumPages: number }): Uint8Array<ArrayBuffer> {
    const bytes: number[] = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
    const section = (id: number, content: number[]) => {
      for (const byte of [id, ...unsignedLeb(content.length)]) bytes.push(byte)
      for (const byte of content) bytes.push(byte)
    }
    const vector = (items: number[][]) => [unsignedLeb(items.length), ...items].flat()
    const signatures = new Map<string, number>()
    const types: number[][] = []
    const typeOf = this.functions.map(f => {
      const key = `${f.parameters.join()}>${f.results.join()}`
      if (!signatures.has(key)) {
        signatures.set(key, types.length)
        types.push([0x60, ...vector(f.parameters.map(t => [typeCode[t]])), ...vector(f.results.map(t => [typeCode[t]]))])
      }
      return signatures.get(key)!
    })
    section(1, vector(types))
    section(2, vector([[...utf8('env'), ...utf8('memory'), 2, shared ? 3 : 1, ...unsignedLeb(1), ...unsignedLeb(maximumPages)]]))
    section(3, vector(typeOf.map(unsignedLeb)))
    section(7, vector(this.functions.map(f => [...utf8(f.name), 0, ...unsignedLeb(f.index)])))
    section(10, vector(this.functions.map(f => f.encode())))
    return new Uint8Array(bytes)
  }
}
