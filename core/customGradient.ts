import { stopGradient } from './grad.ts'
import { tidy } from './memory.ts'
import { reshape } from './ops/reshape.ts'
import { attachNode, isRecording, notRecording } from './tape.ts'
import type { Tensor } from './tensor.ts'
import { alias } from './tensor.ts'

/**
 * `customGradient(f, pullback)(x)`: the value of f(x), differentiated by `pullback(output, dy)`, as x, in place of the derivative of f.
 * Nothing of f is kept but its output. Every tensor of f that needs a gradient must be its argument.
 */
export const customGradient =
  (f: (x: Tensor) => Tensor, pullback: (output: Tensor, dy: Tensor) => Tensor) =>
  (x: Tensor): Tensor => {
    if (!isRecording() || !x.node) return tidy(() => f(x))
    const output = notRecording(() => tidy(() => alias(f(stopGradient(x)))))
    attachNode(output, 'customGradient', [x], dy => [
      () => {
        const gradient = pullback(stopGradient(output), dy)
        // Of its own, since the backward pass frees it and the pullback may give a tensor from outside.
        return reshape(gradient, gradient.shape)
      },
    ])
    return output
  }
