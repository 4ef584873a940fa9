// What a template can fail with: Go's words, and beside them the place as data.
import type { Place } from '../fault.js'
import { byteLength } from '../value/text.js'
import type { Value } from '../value/value.js'
import type { Source } from './ast.js'

/** A template that cannot be parsed: `template: NAME:LINE: MESSAGE`. */
export class ParseError extends Error {
  /** Only the line is known. */
  readonly place: Place
  /** The message without its place. */
  readonly what: string
  readonly #source: Source
  constructor(source: Source, line: number, what: string) {
    super(`template: ${source.name}:${line}: ${what}`)
    this.name = 'ParseError'
    this.#source = source
    this.place = { file: source.name, line, column: 0 }
    this.what = what
  }

  /** What was being parsed, for an excerpt. Not a plain property: a log of the error must not show the file. */
  get source(): Source {
    return this.#source
  }
}

/**
 * A template that failed while it ran: `template: NAME:LINE:COLUMN: executing "TEMPLATE" at <CODE>: MESSAGE`. A template that an
 * included one took down carries that one's error as its cause.
 */
export class ExecError extends Error {
  readonly place: Place
  readonly #source: Source
  /** The message without place and template. */
  readonly what: string
  readonly #given: readonly Value[]
  constructor(message: string, place: Place, source: Source, what: string, cause?: unknown, given: readonly Value[] = []) {
    super(message, cause === undefined ? undefined : { cause })
    this.#given = given
    this.name = 'ExecError'
    this.place = place
    this.#source = source
    this.what = what
  }

  /** As of ParseError. */
  get source(): Source {
    return this.#source
  }

  /** What the words may be about: Helm shows values in its errors, and whoever must not can take them out (value/masked.ts). */
  get given(): readonly Value[] {
    return this.#given
  }

  /** The error where it began, in the innermost template. */
  get origin(): ExecError | ParseError {
    if (this.cause instanceof ExecError) return this.cause.origin
    return this.cause instanceof ParseError ? this.cause : this
  }
}

/** Line from 1 and column from 0 in bytes, as Go counts them. */
export function goPosition(source: Source, at: number): { readonly line: number; readonly column: number } {
  let line = 1
  let start = 0
  for (let next = source.text.indexOf('\n'); next >= 0 && next < at; next = source.text.indexOf('\n', next + 1)) {
    line++
    start = next + 1
  }
  return { line, column: byteLength(source.text.slice(start, at)) }
}
