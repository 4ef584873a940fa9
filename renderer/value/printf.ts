// `fmt.Sprintf`: reads the format and hands each value to its verb; what does not fit is complained of in the output, as Go does.
import { RenderFault } from '../fault.js'
import { type Directive, formatValue, mostCharacters } from './format.js'
import { Int, typeOf, type Value } from './value.js'

/** Widths and precisions beyond this are no numbers to Go. */
const largest = 1_000_000

export function sprintf(format: string, values: readonly Value[]): string {
  const reader = new Reader(format, values)
  return reader.read()
}

class Reader {
  readonly #format: string
  readonly #values: readonly Value[]
  #at = 0
  #next = 0
  /** Some `[n]` chose a value: then values left over are not complained of. */
  #reordered = false
  #goodIndex = true
  #afterIndex = false
  #made = ''
  constructor(format: string, values: readonly Value[]) {
    this.#format = format
    this.#values = values
  }

  read(): string {
    for (;;) {
      const percent = this.#format.indexOf('%', this.#at)
      if (percent < 0) break
      this.#made += this.#format.slice(this.#at, percent)
      this.#at = percent + 1
      this.#directive()
      this.#checkLength()
    }
    return this.#made + this.#format.slice(this.#at) + this.#extra()
  }

  #directive(): void {
    const plain = plainVerbs[this.#format[this.#at] ?? '']
    if (plain === undefined) this.#full()
    else this.#plain(plain)
  }

  #full(): void {
    const flags = this.#flags()
    this.#goodIndex = true
    this.#index()
    let width = this.#width()
    if (width < 0) {
      flags.minus = true
      flags.zero = false
      width = -width
    }
    const precision = this.#precision()
    if (!this.#afterIndex) this.#index()
    const code = this.#format.codePointAt(this.#at)
    if (code === undefined) {
      this.#made += '%!(NOVERB)'
      return
    }
    const char = String.fromCodePoint(code)
    this.#at += char.length
    this.#verb(/\p{Surrogate}/u.test(char) ? '\ufffd' : char, flags, width, precision)
  }

  /** `%s` and its like, which nearly all are. */
  #plain(as: Directive): void {
    this.#at++
    if (this.#next >= this.#values.length) this.#made += `%!${as.verb}(MISSING)`
    else this.#made += formatValue(this.#values[this.#next++] as Value, as)
  }

  /** A megabyte of padding for every few characters of the format. */
  #checkLength(): void {
    if (this.#made.length > mostCharacters)
      throw new RenderFault('LimitExceeded', `a text of more than ${mostCharacters} characters is formatted`)
  }

  #verb(verb: string, flags: Flags, width: number, precision: number | undefined): void {
    if (verb === '%') this.#made += '%'
    else if (!this.#goodIndex) this.#made += `%!${verb}(BADINDEX)`
    else if (this.#next >= this.#values.length) this.#made += `%!${verb}(MISSING)`
    else this.#made += formatValue(this.#values[this.#next++] as Value, directive(verb, flags, width, precision))
  }

  #flags(): Flags {
    const flags = { minus: false, plus: false, sharp: false, space: false, zero: false }
    for (; ; this.#at++) {
      const name = flagNames[this.#format[this.#at] ?? '']
      if (name === undefined) return flags
      flags[name] = true
    }
  }

  /** `[3]`: the value that comes next. */
  #index(): void {
    this.#afterIndex = false
    if (this.#format[this.#at] !== '[') return
    this.#reordered = true
    const close = this.#format.indexOf(']', this.#at)
    if (this.#format.length - this.#at < 3 || close < 0) {
      this.#at++
      this.#goodIndex = false
      return
    }
    const digits = this.#format.slice(this.#at + 1, close)
    const index = /^[0-9]+$/.test(digits) ? Number(digits) : -1
    this.#at = close + 1
    this.#afterIndex = index >= 0 && index <= largest * 10
    if (index >= 1 && index <= this.#values.length) this.#next = index - 1
    else this.#goodIndex = false
  }

  /** Negative: to the left. */
  #width(): number {
    if (this.#format[this.#at] === '*') {
      this.#at++
      this.#afterIndex = false
      const width = this.#numberArgument()
      if (width === undefined) this.#made += '%!(BADWIDTH)'
      return width ?? 0
    }
    const width = this.#number()
    if (width !== undefined && this.#afterIndex) this.#goodIndex = false
    return width ?? 0
  }

  #precision(): number | undefined {
    if (this.#format[this.#at] !== '.' || this.#at + 1 >= this.#format.length) return undefined
    this.#at++
    if (this.#afterIndex) this.#goodIndex = false
    this.#index()
    if (this.#format[this.#at] !== '*') return this.#number() ?? 0
    this.#at++
    this.#afterIndex = false
    const precision = this.#numberArgument()
    if (precision !== undefined && precision >= 0) return precision
    this.#made += '%!(BADPREC)'
    return undefined
  }

  #numberArgument(): number | undefined {
    if (this.#next >= this.#values.length) return undefined
    const value = this.#values[this.#next++]
    const number = value instanceof Int ? Number(value.value) : Number.NaN
    return Math.abs(number) <= largest ? number : undefined
  }

  #number(): number | undefined {
    const digits = /^[0-9]+/.exec(this.#format.slice(this.#at, this.#at + 400))?.[0]
    if (digits === undefined) return undefined
    this.#at += digits.length
    return Number(digits)
  }

  #extra(): string {
    if (this.#reordered || this.#next >= this.#values.length) return ''
    const extra = this.#values.slice(this.#next)
    const plain = directive('v', noFlags, 0, undefined)
    return `%!(EXTRA ${extra.map(value => (value === null ? '<nil>' : `${typeOf(value)}=${formatValue(value, plain)}`)).join(', ')})`
  }
}

interface Flags {
  minus: boolean
  plus: boolean
  sharp: boolean
  space: boolean
  zero: boolean
}

const noFlags: Flags = { minus: false, plus: false, sharp: false, space: false, zero: false }
const flagNames: Readonly<Record<string, keyof Flags>> = { '-': 'minus', '+': 'plus', '#': 'sharp', ' ': 'space', '0': 'zero' }

const plainVerbs: Readonly<Record<string, Directive>> = Object.fromEntries(
  Array.from('svdqtfxXgeT', verb => [verb, directive(verb, noFlags, 0, undefined)]),
)

/** In `%+v` and `%#v` the flags ask for names and for Go source instead of what they mean to numbers. */
function directive(verb: string, flags: Flags, width: number, precision: number | undefined): Directive {
  const { minus, plus, sharp, space, zero } = flags
  const value = verb === 'v'
  const named = plus && value
  const source = sharp && value
  return { verb, width, precision, minus, plus: plus && !value, sharp: sharp && !value, space, zero, named, source }
}
