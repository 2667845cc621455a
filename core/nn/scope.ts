import type { Tensor } from '../index.ts'

/** Flat tensors keyed by state-dict names: parameters, gradients, running statistics. */
export type TensorRecord = Readonly<Record<string, Tensor>>

/** The part of a flat record under one dotted path: what a layer sees of the parameters. */
export interface Scope {
  /** Dotted path of this scope; '' is the whole record. */
  readonly path: string
  /** The scope one or more names further down. */
  at(child: string): Scope
  /** Throws when the record has no such tensor. */
  get(name: string): Tensor
  find(name: string): Tensor | undefined
}

/** A dotted path. Names below it are put together once, however often networks look them up. */
class Path {
  private readonly below = new Map<string, Path>()

  constructor(readonly text: string) {}

  at(child: string): Path {
    let path = this.below.get(child)
    if (!path) {
      path = new Path(this.text === '' ? child : `${this.text}.${child}`)
      this.below.set(child, path)
    }
    return path
  }
}

const root = new Path('')

class RecordScope implements Scope {
  constructor(
    private readonly tensors: TensorRecord,
    private readonly place: Path,
  ) {}

  get path(): string {
    return this.place.text
  }

  at(child: string): Scope {
    return new RecordScope(this.tensors, this.place.at(child))
  }

  find(name: string): Tensor | undefined {
    const { text } = this.place.at(name)
    return Object.hasOwn(this.tensors, text) ? this.tensors[text] : undefined
  }

  get(name: string): Tensor {
    const found = this.find(name)
    if (found) return found
    const count = Object.keys(this.tensors).length
    throw new Error(`parameters: "${this.place.at(name).text}" is missing among ${count}; load or initialise all of them`)
  }
}

/** `scope(parameters, 'down_blocks.0.resnets.1').at('conv1').get('weight')`. */
export const scope = (tensors: TensorRecord, path = ''): Scope => new RecordScope(tensors, path === '' ? root : root.at(path))
