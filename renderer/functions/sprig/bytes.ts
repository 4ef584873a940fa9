// Texts as bytes where a byte of its own can matter: one JavaScript character for each byte, and back.
import { bytesOf, hasBadBytes, isAscii, textOf } from '../../value/text.js'

/** `é` -> `Ã©`: what can be cut anywhere. */
export function binary(text: string): string {
  return isAscii(text) ? text : Buffer.from(bytesOf(text)).toString('latin1')
}

export function fromBinary(bytes: string): string {
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : textOf(Buffer.from(bytes, 'latin1'))
}

/** Runs on the texts as they are while all are UTF-8 (no match can then begin inside a character), else on their bytes. */
export function byBytes<T>(texts: readonly string[], run: (texts: readonly string[]) => T, back: (made: T) => T): T {
  return texts.some(hasBadBytes) ? back(run(texts.map(binary))) : run(texts)
}
