// Sprig's random functions. What they give is sticky: made once for a place and its arguments, then kept.

import { type Int, int, type Value } from '../../value/value.js'
import type { Call, Chance, GoFunction } from '../signature.js'
import { type Args, boundedText, define, fail, text, whole } from './define.js'
import { base64 } from './encoding.js'
import { scrubbed } from './unicode.js'

const digits = '0123456789'
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const printable = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).join('')

export const random: readonly GoFunction[] = [
  chars('randAlphaNum', digits + letters),
  chars('randAlpha', letters),
  chars('randNumeric', digits),
  chars('randAscii', printable),
  define('randBytes', ['int'], (args, call) => {
    const count = whole(args, 0)
    if (count < 0) fail('runtime error: makeslice: len out of range')
    call.meter.text(Math.ceil((count * 4) / 3))
    return call.sticky('randBytes', args, chance => base64(chance.random(count)))
  }),
  define('randInt', ['int', 'int'], (args, call) => {
    const [from, to] = [(args[0] as Int).value, (args[1] as Int).value]
    if (BigInt.asIntN(64, to - from) <= 0n) fail('invalid argument to Intn')
    return call.sticky('randInt', args, chance => int(from + below(chance, to - from)))
  }),
  define('uuidv4', [], (args, call) => call.sticky('uuidv4', args, uuid)),
  define('shuffle', ['string'], (args, call) => call.sticky('shuffle', args, chance => shuffled(text(args, 0), chance))),
]

/** A count below 0 gives nothing. */
function chars(name: string, alphabet: string): GoFunction {
  return define(name, ['int'], (args: Args, call: Call): Value => {
    const count = Math.max(0, whole(args, 0))
    call.meter.text(count)
    if (count === 0) return ''
    return boundedText(call.sticky(name, args, chance => pickChars(chance, alphabet, count)) as string, call)
  })
}

/** Every character as likely: bytes beyond the last whole round of the alphabet are thrown away. */
function pickChars(chance: Chance, alphabet: string, count: number): string {
  const usable = 256 - (256 % alphabet.length)
  let made = ''
  while (made.length < count) {
    for (const byte of chance.random(count - made.length + 16))
      if (byte < usable && made.length < count) made += alphabet.charAt(byte % alphabet.length)
  }
  return made
}

/** 0 up to, not including, `limit`. */
function below(chance: Chance, limit: bigint): bigint {
  const range = 1n << 64n
  const usable = range - (range % limit)
  while (true) {
    const drawn = Buffer.from(chance.random(8)).readBigUInt64BE()
    if (drawn < usable) return drawn % limit
  }
}

/** RFC 9562, version 4. */
function uuid(chance: Chance): string {
  const bytes = Buffer.from(chance.random(16))
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function shuffled(given: string, chance: Chance): string {
  const made = Array.from(scrubbed(given))
  for (let at = made.length - 1; at > 0; at--) {
    const other = Number(below(chance, BigInt(at + 1)))
    const held = made[at] as string
    made[at] = made[other] as string
    made[other] = held
  }
  return made.join('')
}
