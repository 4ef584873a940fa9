// Sprig's hashes and ciphers of passwords (crypto.go): bcrypt, htpasswd, derivePassword, AES.
import { createCipheriv, createDecipheriv, createHmac, scryptSync } from 'node:crypto'
import bcryptjs from 'bcryptjs'
import { byteLength, bytesOf, textOf } from '../../value/text.js'
import type { Int } from '../../value/value.js'
import type { Call, GoFunction } from '../signature.js'
import { type Args, boundedText, define, fail, text } from './define.js'
import { base64, decodeBase64 } from './encoding.js'

export const passwords: readonly GoFunction[] = [
  define('bcrypt', ['string'], (args, call) => bcrypt('bcrypt', args, text(args, 0), call)),
  define('htpasswd', ['string', 'string'], (args, call) => {
    const user = text(args, 0)
    return user.includes(':') ? `invalid username: ${user}` : `${user}:${bcrypt('htpasswd', args, text(args, 1), call)}`
  }),
  define('derivePassword', ['uint32', 'string', 'string', 'string', 'string'], derivePassword),
  define('encryptAES', ['string', 'string'], encryptAes),
  define('decryptAES', ['string', 'string'], decryptAes),
]

const mostBytes = 72

/** Cost 10, Go's default. */
function bcrypt(name: string, key: Args, password: string, call: Call): string {
  if (byteLength(password) > mostBytes)
    return `failed to encrypt string with bcrypt: bcrypt: password length exceeds ${mostBytes} bytes`
  return call.sticky(name, key, chance => {
    call.meter.secret(1)
    return bcryptjs.hashSync(password, `$2a$10$${bcryptjs.encodeBase64(Array.from(chance.random(16)), 16)}`)
  }) as string
}

const seed = 'com.lyndir.masterpassword'

/** Of Master Password's templates: what kind of character stands where. */
const templates: Readonly<Record<string, string>> = {
  __proto__: null as never,
  maximum: 'anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno',
  long:
    'CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv ' +
    'CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv ' +
    'CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno',
  medium: 'CvcnoCvc CvcCvcno',
  short: 'Cvcn',
  basic: 'aaanaaan aannaaan aaannaaa',
  pin: 'nnnn',
}

const characters: Readonly<Record<string, string>> = {
  V: 'AEIOU',
  C: 'BCDFGHJKLMNPQRSTVWXYZ',
  v: 'aeiou',
  c: 'bcdfghjklmnpqrstvwxyz',
  A: 'AEIOUBCDFGHJKLMNPQRSTVWXYZ',
  a: 'AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz',
  n: '0123456789',
  o: "@&%?,=[]_:-+*$#!'^~;()/.",
  x: 'AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()',
}

/** The Master Password algorithm with Sprig's scrypt: N 32768, r 8, p 2. The same arguments give the same password. */
function derivePassword(args: Args, call: Call): string {
  const [type, password, user, site] = [text(args, 1), text(args, 2), text(args, 3), text(args, 4)]
  const choices = templates[type]?.split(' ')
  if (choices === undefined) return `cannot find password template ${type}`
  call.meter.secret(2)
  const salt = Buffer.concat([Buffer.from(seed), sized(user)])
  const key = scryptSync(bytesOf(password), salt, 64, { N: 32_768, r: 8, p: 2, maxmem: 96 << 20 })
  const drawn = createHmac('sha256', key)
    .update(Buffer.concat([Buffer.from(seed), sized(site), number32(Number((args[0] as Int).value))]))
    .digest()
  const template = choices[(drawn[0] as number) % choices.length] as string
  return Array.from(template, (kind, at) => {
    const from = characters[kind] as string
    return from.charAt((drawn[at + 1] as number) % from.length)
  }).join('')
}

function sized(given: string): Buffer {
  const bytes = bytesOf(given)
  return Buffer.concat([number32(bytes.length), bytes])
}

function number32(value: number): Buffer {
  const made = Buffer.alloc(4)
  made.writeUInt32BE(value)
  return made
}

/** The first 32 bytes of the password, filled up with zeros. */
function aesKey(password: string): Buffer {
  const key = Buffer.alloc(32)
  Buffer.from(bytesOf(password)).copy(key)
  return key
}

function encryptAes(args: Args, call: Call): string {
  const [password, plain] = [text(args, 0), text(args, 1)]
  if (plain === '') return ''
  const made = call.sticky('encryptAES', args, chance => {
    const start = chance.random(16)
    const cipher = createCipheriv('aes-256-cbc', aesKey(password), start)
    return base64(Buffer.concat([start, cipher.update(bytesOf(plain)), cipher.final()]))
  })
  return boundedText(made as string, call)
}

/** The last byte says how many to take off, whatever it is. */
function decryptAes(args: Args): string {
  const [password, crypted] = [text(args, 0), text(args, 1)]
  if (crypted === '') return ''
  const bytes = decodeBase64(crypted)
  if (!(bytes instanceof Uint8Array)) return fail(bytes.error)
  if (bytes.length < 16) {
    const room = Math.floor(crypted.length / 4) * 3
    if (room < 16) fail(`runtime error: slice bounds out of range [:16] with capacity ${room}`)
    fail(`runtime error: slice bounds out of range [16:${bytes.length}]`)
  }
  if (bytes.length % 16 !== 0) fail('crypto/cipher: input not full blocks')
  const decipher = createDecipheriv('aes-256-cbc', aesKey(password), bytes.subarray(0, 16)).setAutoPadding(false)
  const plain = Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()])
  if (plain.length === 0) fail('runtime error: index out of range [-1]')
  const kept = plain.length - (plain.at(-1) as number)
  return kept < 0 ? fail(`runtime error: slice bounds out of range [:${kept}]`) : textOf(plain.subarray(0, kept))
}
