// Go's complex128: Helm's values never hold one, but a literal such as `1i` in a template is one.

import { formatFloat } from './float.js'
import { Struct } from './value.js'

export class Complex extends Struct {
  readonly type = 'complex128'
  readonly kind = 'complex128'
  readonly real: number
  readonly imaginary: number
  constructor(real: number, imaginary: number) {
    super()
    this.real = real
    this.imaginary = imaginary
  }
  override get isTrue(): boolean {
    return this.real !== 0 || this.imaginary !== 0
  }
  print(): string {
    const imaginary = formatFloat(this.imaginary, 'g', -1)
    return `(${formatFloat(this.real, 'g', -1)}${/^[+-]/.test(imaginary) ? '' : '+'}${imaginary}i)`
  }
}
