// Base64, base32 and checksums (Sprig's strings.go and crypto.go), with the errors of Go's decoders as texts.
import { createHash } from 'node:crypto'
import { bytesOf, textOf } from '../../value/text.js'
import type { GoFunction } from '../signature.js'
import { binary } from './bytes.js'
import { boundedText, define, text } from './define.js'

export const encodings: readonly GoFunction[] = [
  define('b64enc', ['string'], (args, call) => boundedText(base64(bytesOf(text(args, 0))), call)),
  define('b64dec', ['string'], args => decodedText(decodeBase64(text(args, 0)))),
  define('b32enc', ['string'], (args, call) => boundedText(base32(bytesOf(text(args, 0))), call)),
  define('b32dec', ['string'], args => decodedText(decodeBase32(text(args, 0)))),
  define('sha1sum', ['string'], args => hash('sha1', text(args, 0))),
  define('sha256sum', ['string'], args => hash('sha256', text(args, 0))),
  define('sha512sum', ['string'], args => hash('sha512', text(args, 0))),
  define('adler32sum', ['string'], args => String(adler32(bytesOf(text(args, 0))))),
]

/** Bytes, or what is wrong. */
export type Decoded = Uint8Array | { readonly error: string }

function decodedText(decoded: Decoded): string {
  return decoded instanceof Uint8Array ? textOf(decoded) : decoded.error
}

function hash(algorithm: string, given: string): string {
  return createHash(algorithm).update(bytesOf(given)).digest('hex')
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** `base64.StdEncoding.DecodeString`: padding is required, line ends do not count, nothing may follow. */
export function decodeBase64(given: string): Decoded {
  const bytes = binary(given)
  const fault = base64Fault(bytes)
  if (fault !== undefined) return { error: `illegal base64 data at input byte ${fault}` }
  return Uint8Array.from(Buffer.from(bytes.replace(/[\r\n]/g, ''), 'base64'))
}

/** Where Go's decoder stops; undefined: nowhere. */
function base64Fault(bytes: string): number | undefined {
  let inGroup = 0
  for (let at = 0; at < bytes.length; at++) {
    const char = bytes[at] as string
    if (char === '\n' || char === '\r') continue
    if (char === '=') return paddingFault(bytes, at, inGroup)
    if (!/[A-Za-z0-9+/]/.test(char)) return at
    inGroup = (inGroup + 1) % 4
  }
  return inGroup === 0 ? undefined : bytes.length - inGroup
}

function paddingFault(bytes: string, first: number, inGroup: number): number | undefined {
  if (inGroup < 2) return first
  let at = afterLineEnds(bytes, first + 1)
  if (inGroup === 2) {
    if (bytes[at] !== '=') return at < bytes.length ? at - 1 : at
    at = afterLineEnds(bytes, at + 1)
  }
  return at < bytes.length ? at : undefined
}

function afterLineEnds(bytes: string, from: number): number {
  let at = from
  while (bytes[at] === '\n' || bytes[at] === '\r') at++
  return at
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function base32(bytes: Uint8Array): string {
  let made = ''
  for (let at = 0; at < bytes.length; at += 5) {
    const group = bytes.subarray(at, at + 5)
    let bits = 0n
    for (let i = 0; i < 5; i++) bits = (bits << 8n) | BigInt(group[i] ?? 0)
    const letters = Array.from({ length: 8 }, (_, i) => alphabet[Number((bits >> BigInt(35 - 5 * i)) & 31n)])
    made += letters
      .slice(0, Math.ceil((group.length * 8) / 5))
      .join('')
      .padEnd(8, '=')
  }
  return made
}

/** `base32.StdEncoding.DecodeString`; places in errors count without line ends. */
function decodeBase32(given: string): Decoded {
  const bytes = binary(given).replace(/[\r\n]/g, '')
  const out: number[] = []
  for (let at = 0; at < bytes.length; at += 8) {
    const group = bytes.slice(at, at + 8)
    const count = base32Letters(bytes, at)
    if (typeof count !== 'number') return { error: `illegal base32 data at input byte ${count.fault}` }
    let bits = 0n
    for (let i = 0; i < 8; i++) bits = (bits << 5n) | BigInt(i < count ? alphabet.indexOf(group[i] as string) : 0)
    const size = Math.floor((count * 5) / 8)
    for (let i = 0; i < size; i++) out.push(Number((bits >> BigInt(32 - 8 * i)) & 255n))
    // What follows padding is not looked at.
    if (count < 8) break
  }
  return Uint8Array.from(out)
}

/** How many letters the group at `start` has before its padding (base32.go, decode). */
function base32Letters(bytes: string, start: number): number | { readonly fault: number } {
  for (let count = 0; count < 8; count++) {
    const at = start + count
    if (at >= bytes.length) return { fault: bytes.length - count }
    const left = bytes.length - at - 1
    if (bytes[at] === '=' && count >= 2 && left < 8) {
      if (left + count < 7) return { fault: bytes.length }
      for (let i = 0; i < 7 - count; i++) if (left > i && bytes[at + 1 + i] !== '=') return { fault: at + i }
      return count === 3 || count === 6 ? { fault: at } : count
    }
    if (!alphabet.includes(bytes[at] as string)) return { fault: at }
  }
  return 8
}

function adler32(bytes: Uint8Array): number {
  let a = 1
  let b = 0
  for (const byte of bytes) {
    a = (a + byte) % 65521
    b = (b + a) % 65521
  }
  return b * 65536 + a
}
