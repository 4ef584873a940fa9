// Errors are shown to people and kept in histories: what a function says of a value must not show the value, which may be a secret.
import { Bytes, Int, isDict, isList, type Value } from './value.js'

const mostTexts = 1_000

/** The message without the values, whole or in part: `parsing time "…" as "2006"`. What the template itself says (`source`) may be shown. */
export function withoutValues(message: string, values: readonly Value[], source = ''): string {
  const texts: string[] = []
  const seen = new Set<Value>()
  for (const value of values) gather(value, source, texts, seen)
  const whole = texts
    .filter(text => text.length >= 4)
    .sort((a, b) => b.length - a.length)
    .reduce((shown, text) => shown.replaceAll(text, '…').replaceAll(JSON.stringify(text).slice(1, -1), '…'), message)
  return whole.replace(/"((?:[^"\\]|\\.)*)"|`([^`]*)`|'([^']*)'/g, (quoted, a?: string, b?: string, c?: string) => {
    const inner = a ?? b ?? c ?? ''
    return inner !== '' && texts.some(text => text.includes(inner)) ? `${quoted.charAt(0)}…${quoted.charAt(0)}` : quoted
  })
}

/** `seen`: maps and lists, which may hold themselves. */
function gather(value: Value, source: string, into: string[], seen: Set<Value>): void {
  if (into.length >= mostTexts) return
  if (isList(value) || isDict(value)) {
    if (seen.has(value)) return
    seen.add(value)
    for (const item of value.values()) gather(item, source, into, seen)
  } else {
    const text = textIn(value)
    if (!source.includes(text)) into.push(text)
  }
}

function textIn(value: Value): string {
  if (value instanceof Int) return String(value.value)
  if (value instanceof Bytes) return Buffer.from(value.bytes).toString('utf8')
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
