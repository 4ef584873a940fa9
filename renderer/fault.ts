// What went wrong in the files of a commit, told with the file, the line, and a caret under the place.

/** CamelCase, as it stands in `Rejection.reason`. */
export type FaultReason =
  | 'TemplateError'
  | 'InvalidManifest'
  | 'InvalidYaml'
  | 'InvalidValues'
  | 'InvalidChart'
  | 'MissingValueFile'
  | 'RefusedFile'
  | 'PathNotFound'
  | 'LimitExceeded'
  | 'NotYet'

export interface Place {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** Counted from 1; 0 where only the line is known. */
  readonly column: number
}

/** Trying again with the same files gives the same fault. */
export class RenderFault extends Error {
  readonly reason: FaultReason
  readonly excerpt: string
  constructor(reason: FaultReason, message: string, excerpt = '') {
    super(message)
    this.name = 'RenderFault'
    this.reason = reason
    this.excerpt = excerpt
  }
}

export function placeText(place: Place): string {
  return place.column > 0 ? `${place.file}:${place.line}:${place.column}` : `${place.file}:${place.line}`
}

export function faultAt(
  reason: FaultReason,
  place: Place,
  what: string,
  source: string,
  hide: 'nothing' | 'texts' = 'nothing',
): RenderFault {
  return new RenderFault(reason, `${placeText(place)}: ${what}`, excerptOf(source, place, hide))
}

/**
 * Up to two lines before the place, the line, and a caret:
 * ```
 *   11 |   containers:
 *   12 |   - image: {{Values.image.tga}}
 *      |            ^
 * ```
 * `hide: 'texts'` keeps keys and template tags and stars out the rest, for files that hold secrets.
 */
export function excerptOf(source: string, place: Place, hide: 'nothing' | 'texts' = 'nothing'): string {
  const lines = source.split(/\r?\n/)
  const first = Math.max(1, place.line - 2)
  const width = String(place.line).length
  const shown: string[] = []
  for (let number = first; number <= place.line && number <= lines.length; number++) {
    const line = clip(lines[number - 1] ?? '')
    shown.push(`  ${String(number).padStart(width)} | ${hide === 'texts' ? starred(line) : line}`)
  }
  if (place.column > 0 && place.column <= 160) shown.push(`  ${' '.repeat(width)} | ${' '.repeat(place.column - 1)}^`)
  return shown.map(line => line.trimEnd()).join('\n')
}

function clip(line: string): string {
  const plain = line.replace(/\t/g, ' ').replace(/[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, '?')
  return plain.length > 160 ? plain.slice(0, 159) + '…' : plain
}

/** `password: hunter2{{x}}` -> `password: *******{{x}}`: keys, dashes and tags stay. */
function starred(line: string): string {
  const head = /^\s*(- )*("[^"]*"|'[^']*'|[\w./-]+):(\s|$)/.exec(line)?.[0] ?? /^\s*(- )*/.exec(line)?.[0] ?? ''
  return head + line.slice(head.length).replace(/(\{\{.*?\}\})|[^\s]/g, (char, tag?: string) => tag ?? '*'.repeat(char.length))
}

/** Lines of a file that holds a Secret never appear in an excerpt in the clear. */
export function holdsSecrets(source: string): boolean {
  return /["']?\bkind["']?\s*:\s*["']?(Secret|SealedSecret)\b/.test(source)
}

/** Line and column (from 1) of an offset. */
export function placeOf(file: string, source: string, offset: number): Place {
  let line = 1
  let start = 0
  for (let at = source.indexOf('\n'); at >= 0 && at < offset; at = source.indexOf('\n', at + 1)) {
    line++
    start = at + 1
  }
  return { file, line, column: Math.max(0, Math.min(offset, source.length) - start) + 1 }
}
