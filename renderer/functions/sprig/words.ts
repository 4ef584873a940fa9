// Sprig's functions on words and letters: Masterminds/goutils (which takes bytes for characters) and huandu/xstrings' cases.
import { byteLength, sliceBytes } from '../../value/text.js'
import type { Call, GoFunction } from '../signature.js'
import { binary, fromBinary } from './bytes.js'
import { delimited, pascal } from './cases.js'
import { boundedText, define, text, whole } from './define.js'
import { isLower, isSpace, isTitle, isUpper, scrubbed, toLower, toTitle, toUpper } from './unicode.js'

export const words: readonly GoFunction[] = [
  define('abbrev', ['int', 'string'], args =>
    whole(args, 0) < 4 ? text(args, 1) : abbreviate(text(args, 1), 0, whole(args, 0)),
  ),
  define('abbrevboth', ['int', 'int', 'string'], args => {
    const [left, right] = [whole(args, 0), whole(args, 1)]
    return right < 4 || (left > 0 && right < 7) ? text(args, 2) : abbreviate(text(args, 2), left, right)
  }),
  define('initials', ['string'], args => initials(text(args, 0))),
  define('nospace', ['string'], args => withoutSpace(text(args, 0))),
  define('untitle', ['string'], args => untitle(text(args, 0))),
  define('swapcase', ['string'], args => swapCase(text(args, 0))),
  define('snakecase', ['string'], args => delimited(text(args, 0), '_')),
  define('kebabcase', ['string'], args => delimited(text(args, 0), '-')),
  define('camelcase', ['string'], args => pascal(text(args, 0))),
  define('wrap', ['int', 'string'], (args, call) => wrap(text(args, 1), whole(args, 0), '', false, call)),
  define('wrapWith', ['int', 'string', 'string'], (args, call) => wrap(text(args, 2), whole(args, 0), text(args, 1), true, call)),
]

/** stringutils.go AbbreviateFull; `width` is at least 4. */
function abbreviate(given: string, offset: number, width: number): string {
  const length = byteLength(given)
  if (length <= width) return given
  const kept = width - 3
  const from = length - Math.min(offset, length) < kept ? length - kept : Math.min(offset, length)
  if (from <= 4) return sliceBytes(given, 0, kept) + '...'
  if (width < 7) return ''
  if (from + kept < length) return '...' + short(sliceBytes(given, from), kept)
  return '...' + sliceBytes(given, length - kept)
}

/** goutils' Abbreviate returns nothing for a width below 4. */
function short(given: string, width: number): string {
  return width < 4 ? '' : abbreviate(given, 0, width)
}

/** The first byte of each word, as a character of Latin-1. */
function initials(given: string): string {
  let afterGap = true
  let made = ''
  for (const char of binary(given)) {
    const gap = isSpace(char)
    if (!gap && afterGap) made += char
    afterGap = gap
  }
  return made
}

/** Bytes are taken for characters: where one is dropped, the others become characters of Latin-1. */
function withoutSpace(given: string): string {
  const bytes = binary(given)
  const kept = Array.from(bytes).filter(char => !isSpace(char))
  return kept.length === bytes.length ? given : kept.join('')
}

function untitle(given: string): string {
  let begins = true
  return Array.from(scrubbed(given), char => {
    const first = begins && !isSpace(char)
    begins = isSpace(char)
    return first ? toLower(char) : char
  }).join('')
}

/** wordutils.go SwapCase: a lower-case letter that begins a word gets its title case. */
function swapCase(given: string): string {
  let begins = true
  return Array.from(scrubbed(given), char => {
    const first = begins
    begins = false
    if (isUpper(char) || isTitle(char)) return toLower(char)
    if (isLower(char)) return first ? toTitle(char) : toUpper(char)
    begins = isSpace(char)
    return char
  }).join('')
}

/** wordutils.go WrapCustom: at the last space before the limit; `long` cuts words that are longer than a line. */
function wrap(given: string, limit: number, lineEnd: string, long: boolean, call: Call): string {
  const whole = binary(given)
  const length = Math.max(1, limit)
  const end = lineEnd === '' ? '\n' : binary(lineEnd)
  const lines: string[] = []
  let size = 0
  let at = 0
  const take = (to: number, next: number): void => {
    lines.push(whole.slice(at, to))
    size += to - at + end.length
    call.meter.text(size)
    at = next
  }
  while (whole.length - at > length) {
    if (whole[at] === ' ') {
      at++
      continue
    }
    const space = whole.slice(at, at + length + 1).lastIndexOf(' ')
    if (space >= 0) take(at + space, at + space + 1)
    else if (long) take(at + length, at + length)
    else {
      const next = whole.indexOf(' ', at + length)
      if (next < 0) break
      take(next, next + 1)
    }
  }
  return boundedText(fromBinary([...lines, whole.slice(at)].join(end)), call)
}
