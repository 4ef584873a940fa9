// Makes bytes readable for one key only: X25519 to a public key, and a symmetric form for what the controller keeps for itself.
// Knows nothing of documents; `context` binds a sealed text to its place, so that it cannot be moved to another.

import type { KeyObject } from 'node:crypto'
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
} from 'node:crypto'

const version = 1
const keyLength = 32
const ivLength = 12
const tagLength = 16
const spkiX25519 = Buffer.from('302a300506032b656e032100', 'hex')
const spkiEd25519 = Buffer.from('302a300506032b6570032100', 'hex')

/** A sealed text that is not ours, was changed, or lies where it does not belong. Trying again cannot help. */
export class SealError extends Error {
  override name = 'SealError'
}

/** Version byte, ephemeral public key (32), IV (12), ciphertext, tag (16). HKDF-SHA256 over the shared secret, both keys as salt. */
export function sealTo(recipient: KeyObject, plain: Uint8Array, context: string): Uint8Array {
  const ephemeral = generateKeyPairSync('x25519')
  const own = rawPublicKey(ephemeral.publicKey)
  const key = agree(ephemeral.privateKey, recipient, Buffer.concat([own, rawPublicKey(recipient)]))
  return Buffer.concat([Buffer.of(version), own, encrypt(key, plain, context)])
}

/** Throws SealError. */
export function openSealed(privateKey: KeyObject, sealed: Uint8Array, context: string): Uint8Array {
  const bytes = versioned(sealed, 1 + keyLength + ivLength + tagLength, context)
  const theirs = bytes.subarray(1, 1 + keyLength)
  const salt = Buffer.concat([theirs, rawPublicKey(publicKeyOf(privateKey))])
  const key = agree(privateKey, publicKeyFromRaw('x25519', theirs), salt)
  return decrypt(key, bytes.subarray(1 + keyLength), context)
}

/** Version byte, IV (12), ciphertext, tag (16). Only who has `key` (32 bytes) can make or read it. */
export function sealWith(key: Uint8Array, plain: Uint8Array, context: string): Uint8Array {
  return Buffer.concat([Buffer.of(version), encrypt(key, plain, context)])
}

/** Throws SealError. */
export function openWith(key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array {
  return decrypt(key, versioned(sealed, 1 + ivLength + tagLength, context).subarray(1), context)
}

/** The last 32 bytes of the key's SPKI form. */
export function rawPublicKey(key: KeyObject): Buffer {
  const known = rawKeys.get(key) ?? key.export({ type: 'spki', format: 'der' }).subarray(-keyLength)
  rawKeys.set(key, known)
  return known
}

/** A key is asked for its form with every document that is sealed to it or opened with it. Never written to. */
const rawKeys = new WeakMap<KeyObject, Buffer>()
const publicKeys = new WeakMap<KeyObject, KeyObject>()

function publicKeyOf(privateKey: KeyObject): KeyObject {
  const known = publicKeys.get(privateKey) ?? createPublicKey(privateKey as never)
  publicKeys.set(privateKey, known)
  return known
}

export function publicKeyFromRaw(type: 'x25519' | 'ed25519', raw: Uint8Array): KeyObject {
  if (raw.length !== keyLength) throw new SealError(`public ${type} key: ${raw.length} bytes, expected ${keyLength}`)
  const prefix = type === 'x25519' ? spkiX25519 : spkiEd25519
  return createPublicKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'spki' })
}

/** A symmetric key that is made from a private key, for one named use. */
export function deriveKey(privateKey: KeyObject, use: string): Uint8Array {
  const secret = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-keyLength)
  return new Uint8Array(hkdfSync('sha256', secret, Buffer.alloc(0), use, keyLength))
}

function agree(privateKey: KeyObject, publicKey: KeyObject, salt: Uint8Array): Uint8Array {
  const shared = diffieHellman({ privateKey, publicKey })
  return new Uint8Array(hkdfSync('sha256', shared, salt, 'slipway seal v1', keyLength))
}

function encrypt(key: Uint8Array, plain: Uint8Array, context: string): Buffer {
  const iv = randomBytes(ivLength)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: Uint8Array, sealed: Buffer, context: string): Uint8Array {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivLength))
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(-tagLength))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(ivLength, -tagLength)), decipher.final()])
  } catch (cause) {
    throw new SealError(`${context}: cannot be opened: sealed to another key, or changed on its way`, { cause })
  }
}

function versioned(sealed: Uint8Array, atLeast: number, context: string): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  if (bytes.length < atLeast) throw new SealError(`${context}: sealed text of ${bytes.length} bytes is cut short`)
  if (bytes[0] !== version) throw new SealError(`${context}: sealed by version ${bytes[0]}, this side reads ${version}`)
  return bytes
}
