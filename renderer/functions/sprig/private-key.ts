// Private keys: made, read from PEM, and written as Sprig writes them (crypto.go: pemBlockForKey, parsePrivateKeyPEM).
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { fail } from './define.js'
import { children, content, DerError, element, integer, sequence, whole } from './der.js'
import { decodePem, encodePem } from './pem.js'

/** A DSA key signs nothing here; it is only kept as what it was read from. */
export type PrivateKey = { readonly kind: 'key'; readonly key: KeyObject } | { readonly kind: 'dsa'; readonly bytes: Uint8Array }

/** Keys come from OpenSSL's own random numbers, not from those that a render is given. */
export function newRsaKey(bits: number): PrivateKey {
  return { kind: 'key', key: generateKeyPairSync('rsa', { modulusLength: bits }).privateKey }
}

/** undefined: Sprig does not know the type. */
export function newKey(type: string): PrivateKey | undefined {
  switch (type) {
    case '':
    case 'rsa':
      return newRsaKey(4096)
    case 'dsa':
      return { kind: 'dsa', bytes: dsaBytes(generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })) }
    case 'ecdsa':
      return { kind: 'key', key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }
    case 'ed25519':
      return { kind: 'key', key: generateKeyPairSync('ed25519').privateKey }
    default:
      return undefined
  }
}

/** SEQUENCE of version, p, q, g, y and x, as OpenSSL's traditional format has it. */
function dsaBytes(pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }): Uint8Array {
  const [, algorithm, secret] = children(element(pair.privateKey.export({ format: 'der', type: 'pkcs8' })))
  const [, shown] = children(element(pair.publicKey.export({ format: 'der', type: 'spki' })))
  if (algorithm === undefined || secret === undefined || shown === undefined) throw new DerError('no DSA key')
  const parameters = children(algorithm)[1]
  if (parameters === undefined) throw new DerError('no DSA parameters')
  const y = element(content(shown), 1)
  const x = element(content(secret))
  return sequence(integer(Buffer.of(0)), ...children(parameters).map(whole), whole(y), whole(x))
}

export function writeKey(key: PrivateKey): string {
  if (key.kind === 'dsa') return encodePem('DSA PRIVATE KEY', key.bytes)
  const type = key.key.asymmetricKeyType
  return key.key.export({ format: 'pem', type: type === 'rsa' ? 'pkcs1' : type === 'ec' ? 'sec1' : 'pkcs8' }).toString()
}

const formats = {
  RSA: ['pkcs1', 'parsing RSA private key from PEM'],
  EC: ['sec1', 'parsing EC private key from PEM'],
} as const

/** Throws CallError; what is wrong inside the key is told in our words, Go's come from its ASN.1 reader. */
export function readKey(pem: string): PrivateKey {
  const block = decodePem(pem)
  if (block === undefined) return fail('no PEM data in input')
  if (block.type === 'PRIVATE KEY') return keyOf(block.bytes, 'pkcs8', 'decoding PEM as PKCS#8')
  const kind = /^(.*) PRIVATE KEY$/s.exec(block.type)?.[1]
  if (kind === undefined) return fail(`no private key data in PEM block of type ${block.type}`)
  if (kind === 'DSA') return dsaKey(block.bytes)
  if (kind !== 'RSA' && kind !== 'EC') return fail(`invalid private key type ${kind}`)
  const [type, doing] = formats[kind]
  return keyOf(block.bytes, type, doing)
}

function keyOf(bytes: Uint8Array, type: 'pkcs1' | 'sec1' | 'pkcs8', doing: string): PrivateKey {
  try {
    return { kind: 'key', key: createPrivateKey({ key: Buffer.from(bytes), format: 'der', type }) }
  } catch {
    return fail(`${doing}: the key cannot be read`)
  }
}

function dsaKey(bytes: Uint8Array): PrivateKey {
  try {
    if (children(element(bytes)).length === 6) return { kind: 'dsa', bytes }
  } catch (error) {
    if (!(error instanceof DerError)) throw error
  }
  return fail('parsing DSA private key from PEM: the key cannot be read')
}

/** SubjectPublicKeyInfo. */
export function publicKeyOf(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ format: 'der', type: 'spki' })
}
