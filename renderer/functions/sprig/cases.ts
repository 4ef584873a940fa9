// Words of an identifier and their cases, by the rules of huandu/xstrings 1.5.0 (convert.go): `HTTPServer2go` -> `http_server_2go`.
import { isLetter, isNumber, isPunctuation, isSpace, isUpper, scrubbed, toLower, toUpper } from './unicode.js'

type Kind = 'invalid' | 'number' | 'upper' | 'alphabet' | 'connector' | 'punctuation' | 'other'

interface Word {
  readonly kind: Kind
  readonly text: string
}

const nothing: Word = { kind: 'invalid', text: '' }

/** xstrings' ToSnakeCase and ToKebabCase. */
export function delimited(text: string, connector: string): string {
  const words = wordsOf(Array.from(text))
  let made = ''
  let at = 0
  const word = (): Word => words[at] ?? nothing
  const emit = (given: Word): void => {
    made += lowered(given, connector)
  }
  const emitTail = (): void => {
    for (; word().kind === 'alphabet' || word().kind === 'number'; at++) emit(word())
    if (word().kind !== 'invalid' && !bindsNothing(word())) made += connector
  }
  while (at < words.length - 1) {
    const before = word()
    if (before.kind !== 'connector') emit(before)
    at++
    if (before.kind === 'connector') emit(before)
    else if (before.kind === 'number') emitTail()
    else if (before.kind === 'punctuation') continue
    else if (word().kind !== 'number') made += bindsNothing(word()) ? '' : connector
    else if (at < words.length - 1) {
      // A number belongs to the word before it, unless lower-case letters follow: Bld4Floor -> bld4_floor, http2xx -> http_2xx.
      const number = word()
      at++
      if (word().kind === 'alphabet') {
        made += connector
        emit(number)
        emitTail()
      } else {
        emit(number)
        made += bindsNothing(word()) ? '' : connector
      }
    }
  }
  return made + lowered(word(), connector)
}

function bindsNothing(word: Word): boolean {
  return word.kind === 'connector' || word.kind === 'punctuation'
}

function lowered(word: Word, connector: string): string {
  if (word.kind !== 'upper' && word.kind !== 'connector') return word.text
  return Array.from(scrubbed(word.text), char => (isConnector(char) ? connector : isUpper(char) ? toLower(char) : char)).join('')
}

function isConnector(char: string): boolean {
  return char === '-' || char === '_' || isSpace(char)
}

/** A letter that is not of the common Chinese, Japanese and Korean ideographs. */
function isAlphabet(char: string): boolean {
  return isLetter(char) && !/[\u{4e00}-\u{9fcc}\u{3400}-\u{4d85}\u{20000}-\u{2b81d}]/u.test(char)
}

function wordsOf(chars: readonly string[]): readonly Word[] {
  const words: Word[] = []
  for (let at = 0; at < chars.length; ) {
    const { kind, end } = wordAt(chars, at)
    words.push({ kind, text: chars.slice(at, end).join('') })
    at = end
  }
  return words
}

interface Next {
  readonly char: string
  readonly end: number
}

/** The next character that is UTF-8, with what is before it; where none is left, the one before counts again. */
function nextValid(chars: readonly string[], at: number, before: string): Next {
  for (let end = at; end < chars.length; end++) {
    const char = chars[end] as string
    if (scrubbed(char) !== '\ufffd') return { char, end: end + 1 }
  }
  return { char: before, end: chars.length }
}

function wordAt(chars: readonly string[], at: number): { readonly kind: Kind; readonly end: number } {
  const { char, end } = nextValid(chars, at, '\ufffd')
  const run = (kind: Kind, holds: (char: string) => boolean): { kind: Kind; end: number } => ({
    kind,
    end: runEnd(chars, end, char, holds).end,
  })
  if (char === '\ufffd') return { kind: 'invalid', end }
  if (isConnector(char)) return run('connector', isConnector)
  if (isPunctuation(char)) return run('punctuation', isPunctuation)
  if (isUpper(char)) return { kind: 'upper', end: upperEnd(chars, end, char) }
  if (isAlphabet(char)) return run('alphabet', isSmall)
  if (isNumber(char)) return run('number', isNumber)
  return run('other', other => !isConnector(other) && !isAlphabet(other) && !isNumber(other) && !isPunctuation(other))
}

function isSmall(char: string): boolean {
  return isAlphabet(char) && !isUpper(char)
}

/** `HTTPStatus`: the last capital of a run belongs to what follows it. */
function upperEnd(chars: readonly string[], at: number, first: string): number {
  if (at >= chars.length) return at
  const second = nextValid(chars, at, first)
  if (!isUpper(second.char)) return isAlphabet(second.char) ? runEnd(chars, second.end, second.char, isSmall).end : at
  const run = runEnd(chars, second.end, second.char, isUpper)
  const lastStart = run.lastStart < 0 ? at : run.lastStart
  return run.end < chars.length && isAlphabet(run.stopped) ? lastStart : run.end
}

interface Run {
  readonly end: number
  /** Where the last character of the run began, with what is not UTF-8 before it; -1 for an empty run. */
  readonly lastStart: number
  /** The character that ended it, or the last. */
  readonly stopped: string
}

function runEnd(chars: readonly string[], from: number, before: string, holds: (char: string) => boolean): Run {
  let at = from
  let lastStart = -1
  let stopped = before
  while (at < chars.length) {
    const next = nextValid(chars, at, stopped)
    stopped = next.char
    if (!holds(next.char)) break
    lastStart = at
    at = next.end
  }
  return { end: at, lastStart, stopped }
}

/** xstrings' ToPascalCase: `some_words` -> `SomeWords`, `GO_PATH` -> `GoPath`. */
export function pascal(text: string): string {
  if (text === '') return ''
  const chars = Array.from(scrubbed(text))
  const start = chars.findIndex(char => !isConnector(char))
  // A text of connectors alone gets its last one twice.
  if (start < 0) return chars.join('') + chars.at(-1)
  let made = chars.slice(0, start).join('')
  let lowering = isUpper(chars[start] as string)
  let current = toUpper(chars[start] as string)
  for (const char of chars.slice(start + 1)) {
    const before = current
    current = char
    if (isConnector(char) && isConnector(before)) made += before
    else if (isConnector(before)) {
      lowering = isUpper(char)
      current = toUpper(char)
    } else {
      made += before
      if (lowering && isUpper(char)) current = toLower(char)
      else lowering = false
    }
  }
  return made + current
}
