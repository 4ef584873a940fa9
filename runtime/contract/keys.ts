// The key files of a controller and of a node: made at the first start, 0600 in a directory of their own, shown by fingerprint.
// A file that is there is never written over; one that others can read is refused.

import type { KeyObject } from 'node:crypto'
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { chmod, link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deriveKey, publicKeyFromRaw, rawPublicKey } from './seal.js'

export interface ControllerKeys {
  /** Ed25519: nodes obey what it signed. */
  readonly signing: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }
  /** X25519: reports are sealed to it. */
  readonly sealing: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }
  /** 32 bytes, made from the sealing key: for what the controller stores and wants back unchanged. */
  readonly storage: Uint8Array
  readonly nats: NatsKey
  readonly identity: ControllerIdentity
  /** Files that could not be read, and were made again from their copies. */
  readonly faults: readonly string[]
}

export interface NodeKeys {
  readonly sealing: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }
  readonly nats: NatsKey
  readonly faults: readonly string[]
}

/** An nkey of NATS: `U...` to tell the server, `SU...` to log in with. */
export interface NatsKey {
  readonly public: string
  readonly seed: string
}

/** What a node is told when it joins, and obeys from then on: base64 raw public keys. */
export interface ControllerIdentity {
  readonly signing: string
  readonly sealing: string
}

/** What the controller is told when a node joins. `sealing` is a base64 raw X25519 public key. */
export interface NodeIdentity {
  readonly node: string
  readonly sealing: string
  readonly nats: string
}

export async function openControllerKeys(directory: string): Promise<ControllerKeys> {
  const signing = await openKeyPair(directory, 'signing.pem', 'ed25519')
  const sealing = await openKeyPair(directory, 'sealing.pem', 'x25519')
  const nats = await openFile(directory, 'nats.seed', natsKeyFrom, () => createNatsKey().seed)
  const identity = { signing: encodePublicKey(signing.pair.publicKey), sealing: encodePublicKey(sealing.pair.publicKey) }
  return {
    signing: signing.pair,
    sealing: sealing.pair,
    storage: deriveKey(sealing.pair.privateKey, 'slipway storage v1'),
    nats: nats.key,
    identity,
    faults: [signing, sealing, nats].flatMap(({ faults }) => faults),
  }
}

export async function openNodeKeys(directory: string): Promise<NodeKeys> {
  const sealing = await openKeyPair(directory, 'sealing.pem', 'x25519')
  const nats = await openFile(directory, 'nats.seed', natsKeyFrom, () => createNatsKey().seed)
  return { sealing: sealing.pair, nats: nats.key, faults: [...sealing.faults, ...nats.faults] }
}

export function nodeIdentity(node: string, keys: NodeKeys): NodeIdentity {
  return { node, sealing: encodePublicKey(keys.sealing.publicKey), nats: keys.nats.public }
}

export function encodePublicKey(key: KeyObject): string {
  return rawPublicKey(key).toString('base64')
}

export function decodePublicKey(type: 'x25519' | 'ed25519', encoded: string): KeyObject {
  return publicKeyFromRaw(type, Buffer.from(encoded, 'base64'))
}

/** `SHA256:` and base64 without padding, as ssh shows keys. `encoded` is a base64 raw public key. */
export function fingerprint(encoded: string): string {
  return `SHA256:${createHash('sha256').update(Buffer.from(encoded, 'base64')).digest('base64').replace(/=+$/, '')}`
}

/** nkeys (github.com/nats-io/nkeys): base32 of prefix, Ed25519 key and CRC-16/XMODEM, low byte first. */
export function createNatsKey(): NatsKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return natsKeyOf(privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32))
}

export function natsKeyFrom(seed: string): NatsKey {
  const bytes = base32Decode(seed)
  if (bytes.length !== 36) throw new Error('nkey seed: wrong length')
  const [payload, crc] = [bytes.subarray(0, 34), bytes.readUInt16LE(34)]
  if (crc16(payload) !== crc) throw new Error('nkey seed: checksum does not match')
  if (payload[0] !== (seedPrefix | (userPrefix >> 5))) throw new Error('nkey seed: not the seed of a user (SU...)')
  return natsKeyOf(payload.subarray(2))
}

const seedPrefix = 18 << 3
const userPrefix = 20 << 3

function natsKeyOf(secret: Uint8Array): NatsKey {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret])
  const publicKey = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }) as never)
  const head = Buffer.of(seedPrefix | (userPrefix >> 5), (userPrefix & 31) << 3)
  return {
    public: withChecksum(Buffer.concat([Buffer.of(userPrefix), rawPublicKey(publicKey)])),
    seed: withChecksum(Buffer.concat([head, secret])),
  }
}

function withChecksum(payload: Buffer): string {
  const crc = Buffer.alloc(2)
  crc.writeUInt16LE(crc16(payload))
  return base32Encode(Buffer.concat([payload, crc]))
}

function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff
  }
  return crc
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function base32Encode(bytes: Uint8Array): string {
  let [text, value, bits] = ['', 0, 0]
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(value >> (bits - 5)) & 31]
  }
  return bits === 0 ? text : text + alphabet[(value << (5 - bits)) & 31]
}

function base32Decode(text: string): Buffer {
  const bytes: number[] = []
  let [value, bits] = [0, 0]
  for (const letter of text) {
    const digit = alphabet.indexOf(letter)
    if (digit < 0) throw new Error('nkey seed: not base32')
    value = ((value << 5) | digit) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((value >> bits) & 255)
  }
  return Buffer.from(bytes)
}

async function openKeyPair(directory: string, name: string, type: 'x25519' | 'ed25519') {
  const read = (pem: string) => parsePem(pem, type)
  const { key: privateKey, faults } = await openFile(directory, name, read, () => createPem(type))
  return { pair: { privateKey, publicKey: createPublicKey(privateKey as never) }, faults }
}

function createPem(type: 'x25519' | 'ed25519'): string {
  const pair = type === 'x25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('ed25519')
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function parsePem(pem: string, type: string): KeyObject {
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyType !== type) throw new Error(`a ${key.asymmetricKeyType} key`)
  return key
}

/**
 * Reads the file, or makes it with `create`. Two that start at once end with the same content: the link decides. It lies there twice: of
 * one that cannot be read the copy counts, and the file is mended. Throws where neither can be read: nobody else has that key.
 */
async function openFile<T>(directory: string, name: string, read: (text: string) => T, create: () => string): Promise<Opened<T>> {
  const file = join(directory, name)
  const copy = `${file}.copy`
  const [own, other] = [parsed(await readKeyFile(file), read), parsed(await readKeyFile(copy), read)]
  if (own.text === null && other.text === null) {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writeKeyFile(file, create().trim(), link)
    return openFile(directory, name, read, create)
  }
  if (own.key === null && other.key === null)
    throw new Error(
      `${file}: ${own.problem || other.problem}; restore it from a backup, or move it away, with its copy, to have a new one made`,
    )
  if (own.key === null) await writeKeyFile(file, other.text!, rename)
  // Another one: the file was put there by a person, or taken back from a backup.
  else if (own.text !== other.text) await writeKeyFile(copy, own.text!, rename).catch(() => rm(copy, { force: true }))
  return {
    key: (own.key ?? other.key)!,
    faults: own.key === null ? [`${file}: ${own.problem || 'it is missing'}; its copy is used`] : [],
  }
}

interface Opened<T> {
  readonly key: T
  readonly faults: readonly string[]
}

function parsed<T>(text: string | null, read: (text: string) => T) {
  try {
    return { text, key: text === null ? null : read(text), problem: '' }
  } catch (error) {
    return {
      text,
      key: null,
      problem: text === '' ? 'it is empty' : `not the key that it should be: ${(error as Error).message}`,
    }
  }
}

async function writeKeyFile(file: string, text: string, place: (from: string, to: string) => Promise<void>): Promise<void> {
  const fresh = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`
  await writeFile(fresh, `${text}\n`, { mode: 0o600, flag: 'wx', flush: true } as never)
  await chmod(fresh, 0o600)
  try {
    await place(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(fresh, { force: true })
  }
}

async function readKeyFile(file: string): Promise<string | null> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) {
      throw new Error(`${file}: others can read this key (mode ${(mode & 0o777).toString(8)}); run: chmod 600 ${file}`)
    }
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
