// Errors are shown to people and kept in histories: what a function says of a value must not show the value, which may be a secret.
import { isDict, isList, type Value } from '../value/value.js'
import { plainText } from './coerce.js'

const mostTexts = 1_000

/** The message without the values, whole or in part: `parsing time "…" as "2006"`. */
export function withoutValues(message: string, values: readonly Value[]): string {
  const texts: string[] = []
  for (const value of values) gather(value, texts)
  const whole = texts
    .filter(text => text.length >= 4)
    .sort((a, b) => b.length - a.length)
    .reduce((shown, text) => shown.replaceAll(text, '…').replaceAll(JSON.stringify(text).slice(1, -1), '…'), message)
  return whole.replace(/"((?:[^"\\]|\\.)*)"|`([^`]*)`|'([^']*)'/g, (quoted, a?: string, b?: string, c?: string) => {
    const inner = a ?? b ?? c ?? ''
    return inner !== '' && texts.some(text => text.includes(inner)) ? `${quoted.charAt(0)}…${quoted.charAt(0)}` : quoted
  })
}

function gather(value: Value, into: string[]): void {
  if (into.length >= mostTexts) return
  if (isList(value)) for (const item of value) gather(item, into)
  else if (isDict(value)) for (const item of value.values()) gather(item, into)
  else into.push(plainText(value) ?? '')
}
