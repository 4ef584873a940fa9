// What a schema's violations are called, as santhosh-tekuri/jsonschema prints them (`kind/kind.go`).

import { formatFloat } from '../value/float.js'
import { quoted } from '../value/quote.js'
import { Int, isDict, isList, type Value } from '../value/value.js'

/** One violation, with those that led to it. */
export interface Violation {
  /** Where in the values, step by step. */
  readonly at: readonly string[]
  readonly what: string
  readonly causes: readonly Violation[]
  /** A `$ref` with one cause is not told itself. */
  readonly isReference: boolean
  /** It only holds several together. */
  readonly isGroup?: boolean
}

/** `- at '/a/b': got string, want number`, one line each, those behind it indented. */
export function violationText(violations: readonly Violation[], indent = 0): string {
  return violations
    .map(({ at, what, causes, isReference }) => {
      if (isReference && causes.length === 1) return violationText(causes, indent)
      const line = `${'  '.repeat(indent)}- at ${apostrophed(pointer(at))}: ${what}\n`
      return line + violationText(causes, indent + 1)
    })
    .join('')
}

function pointer(at: readonly string[]): string {
  return at.map(step => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** `'text'`, with Go's escapes. */
export function apostrophed(text: string): string {
  return `'${quoted(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

export function listed(texts: readonly string[]): string {
  return texts.map(apostrophed).join(', ')
}

/** A value in an `enum` or `const`. */
export function shown(value: Value): string {
  if (typeof value === 'string') return apostrophed(value)
  if (value === null) return '<nil>'
  if (value instanceof Int) return String(value.value)
  return isDict(value) || isList(value) ? 'value' : String(value)
}

const superscripts = new Map(
  Object.entries({
    '0': '⁰',
    '1': '¹',
    '2': '²',
    '3': '³',
    '4': '⁴',
    '5': '⁵',
    '6': '⁶',
    '7': '⁷',
    '8': '⁸',
    '9': '⁹',
    '-': '⁻',
    '+': '',
  }),
)

/** A number as golang.org/x/text prints it in English: `1,234.5`, `1.234567×10⁰⁶`. */
export function numberText(value: number): string {
  const text = formatFloat(value, 'g', -1)
  const [mantissa = '', exponent] = text.split('e')
  if (exponent === undefined) return grouped(mantissa)
  return `${mantissa}×10${[...exponent].map(char => superscripts.get(char) ?? char).join('')}`
}

export function grouped(digits: string): string {
  const [, sign = '', whole = '', rest = ''] = /^(-?)(\d+)(.*)$/.exec(digits) ?? ['', '', digits, '']
  return sign + whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',') + rest
}
