// Documents <-> bytes. A desired document is signed by the controller and sealed to its node; a report is sealed to the controller.
// In clear lies a header only (who, which, what order). What comes in is `unknown` until it is parsed here.

import type { KeyObject } from 'node:crypto'
import { createHash, randomBytes, sign, verify } from 'node:crypto'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import type {
  DesiredDocument,
  ObservedObject,
  ObservedPod,
  Preflight,
  PreflightAnswer,
  ReportDocument,
  Sequence,
} from './documents.js'
import { contractVersion } from './documents.js'
import type { Manifest } from './manifest.js'
import { openSealed, openWith, SealError, sealTo, sealWith } from './seal.js'

/** A document that is not to be believed, or not understood. Trying again cannot help; the next document may. */
export class FrameError extends Error {
  override name = 'FrameError'
}

/** What anyone who may read the key sees. `bodyHash` is of the sealed body, so it says nothing about the content. */
export interface FrameHeader extends Sequence {
  readonly contract: number
  readonly node: string
  readonly application: { readonly name: string; readonly uid: string }
  readonly attempt: number
  readonly release: string
  readonly commit: string
  readonly deleted: boolean
  readonly letGo: boolean
  readonly bodyHash: string
}

const signingContext = 'slipway desired document\n'
const largestBody = 64 * 1024 * 1024
/** Below it, making the tables of a better compression takes longer than compressing. */
const smallBytes = 32 * 1024

/**
 * `<signature, base64>\n<header, JSON>\n<sealed body>`: Ed25519 over the header's bytes, which name the body's hash. The body can be
 * opened by each of `recipients`: its node, and the controller itself, which reads it back after a restart.
 */
export function encodeDesired(document: DesiredDocument, signing: KeyObject, recipients: readonly KeyObject[]): Uint8Array {
  const { objects, digests, preflight, ledger } = document
  const body = sealToAll(recipients, compress({ objects, digests, preflight, ledger }), sealContext('desired', document))
  const header = Buffer.from(JSON.stringify(headerOf(document, body)))
  const signature = sign(null, Buffer.concat([Buffer.from(signingContext), header]), signing)
  return Buffer.concat([Buffer.from(`${signature.toString('base64')}\n`), header, Buffer.from('\n'), body])
}

/** The header of a desired document, its signature verified; what the controller itself can read of it. Throws FrameError. */
export function verifyDesired(bytes: Uint8Array, controller: KeyObject): FrameHeader {
  return openFrame(bytes, controller).header
}

/**
 * Throws FrameError when the document is of an unknown contract, not signed by `controller`, changed, not for `expected` (the key it
 * was found under), cannot be opened, or has not the shape.
 */
export function parseDesired(
  bytes: Uint8Array,
  controller: KeyObject,
  own: KeyObject,
  expected: { node: string; application: string },
): DesiredDocument {
  const { header, body } = openFrame(bytes, controller)
  const what = `document for ${header.node}/${header.application.name}`
  if (header.node !== expected.node || header.application.name !== expected.application) {
    throw new FrameError(`${what}: found under the key of ${expected.node}/${expected.application}; refused`)
  }
  const content = record(decompress(openAny(own, body, sealContext('desired', header), what), what), what)
  const { bodyHash: _, ...rest } = header
  return { ...rest, ...bodyFields(content, what) }
}

export function encodeReport(report: ReportDocument, recipient: KeyObject): Uint8Array {
  return encodeForController('report', report, recipient)
}

/** Throws FrameError. */
export function parseReport(bytes: Uint8Array, own: KeyObject, expected: { node: string; application: string }): ReportDocument {
  const content = openForController('report', bytes, own, expected)
  const what = `report of ${expected.node}/${expected.application}`
  return {
    ...sequence(content, what),
    contract: number(content, 'contract', what),
    node: expected.node,
    application: applicationId(content, what),
    release: text(content, 'release', what),
    attempt: number(content, 'attempt', what),
    at: text(content, 'at', what),
    deleted: content.deleted === true,
    preflight:
      content.preflight === null ? null : (record(content.preflight, `${what}: preflight`) as unknown as PreflightAnswer),
    objects: records(content.objects, `${what}: objects`) as unknown as readonly ObservedObject[],
    pods: records(content.pods, `${what}: pods`) as unknown as readonly ObservedPod[],
    ledgerHash: text(content, 'ledgerHash', what),
  }
}

/** The document that a node obeys, given back to a controller whose store lost it. */
export function encodeReturned(document: DesiredDocument, recipient: KeyObject): Uint8Array {
  return encodeForController('returned', document, recipient)
}

/** Throws FrameError. */
export function parseReturned(
  bytes: Uint8Array,
  own: KeyObject,
  expected: { node: string; application: string },
): DesiredDocument {
  const content = openForController('returned', bytes, own, expected)
  const what = `document given back by ${expected.node}/${expected.application}`
  const { bodyHash: _, ...header } = parseHeader({ ...content, bodyHash: '' }, what)
  if (header.node !== expected.node || header.application.name !== expected.application) {
    throw new FrameError(`${what}: it speaks of ${header.node}/${header.application.name}; refused`)
  }
  return { ...header, ...bodyFields(content, what) }
}

export function compress(value: unknown): Uint8Array {
  const text = Buffer.from(JSON.stringify(value))
  // A window as large as the text: the default one (4 MB) costs more memory and time than all the rest of a small document.
  const window = Math.min(22, Math.max(16, Math.ceil(Math.log2(text.length + 16))))
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: text.length < smallBytes ? 1 : 4,
    [constants.BROTLI_PARAM_LGWIN]: window,
    [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
  }
  return brotliCompressSync(text, { params })
}

/** Throws FrameError. */
export function decompress(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(brotliDecompressSync(bytes, { maxOutputLength: largestBody }).toString('utf8'))
  } catch (cause) {
    throw new FrameError(`${what}: its content is no compressed JSON of less than ${largestBody / 1024 / 1024} MB`, { cause })
  }
}

function headerOf(document: DesiredDocument, body: Uint8Array): FrameHeader {
  const { contract, node, application, epoch, generation, attempt, release, commit, deleted, letGo } = document
  return { contract, node, application, epoch, generation, attempt, release, commit, deleted, letGo, bodyHash: hashOf(body) }
}

function openFrame(bytes: Uint8Array, controller: KeyObject): { readonly header: FrameHeader; readonly body: Uint8Array } {
  const [signature, signed] = cutLine(bytes, 'desired document')
  const [head, body] = cutLine(signed, 'desired document')
  if (
    !verify(
      null,
      Buffer.concat([Buffer.from(signingContext), head]),
      controller,
      Buffer.from(signature.toString('latin1'), 'base64'),
    )
  ) {
    throw new FrameError(
      'desired document: not signed by the controller that this node joined; if its key was renewed, run: slipway runtime rejoin',
    )
  }
  const header = parseHeader(parseJson(head, 'desired document'), 'desired document')
  if (hashOf(body) !== header.bodyHash) {
    throw new FrameError(`document for ${header.node}/${header.application.name}: its body is not the one that was signed`)
  }
  return { header, body }
}

function parseHeader(value: unknown, what: string): FrameHeader {
  const content = record(value, what)
  return {
    ...sequence(content, what),
    contract: understood(content, what),
    node: text(content, 'node', what),
    application: applicationId(content, what),
    attempt: number(content, 'attempt', what),
    release: text(content, 'release', what),
    commit: text(content, 'commit', what),
    deleted: content.deleted === true,
    letGo: content.letGo === true,
    bodyHash: text(content, 'bodyHash', what),
  }
}

function bodyFields(content: Fields, what: string): Pick<DesiredDocument, 'objects' | 'digests' | 'preflight' | 'ledger'> {
  return {
    objects: manifests(content.objects, `${what}: objects`),
    digests: digestsOf(content.digests, `${what}: digests`),
    preflight:
      content.preflight === null ? null : preflightOf(record(content.preflight, `${what}: preflight`), `${what}: preflight`),
    ledger: text(content, 'ledger', what),
  }
}

function digestsOf(value: unknown, what: string): DesiredDocument['digests'] {
  return Object.fromEntries(Object.entries(record(value, what)).map(([key, own]) => [key, strings(own, `${what}: ${key}`)]))
}

function preflightOf(content: Fields, what: string): Preflight {
  return {
    release: text(content, 'release', what),
    objects: manifests(content.objects, `${what}: objects`),
    digests: strings(content.digests, `${what}: digests`),
    round: number(content, 'round', what),
  }
}

type ForController = 'report' | 'returned'
type Addressed = { readonly contract: number; readonly node: string; readonly application: { readonly name: string } }

/** `<contract, JSON>\n<sealed body>`: the place it lies in is bound by the seal, who wrote it by the rights on the key. */
function encodeForController(kind: ForController, document: Addressed, recipient: KeyObject): Uint8Array {
  const body = sealTo(recipient, compress(document), sealContext(kind, document))
  return Buffer.concat([Buffer.from(`${JSON.stringify({ contract: document.contract })}\n`), body])
}

function openForController(
  kind: ForController,
  bytes: Uint8Array,
  own: KeyObject,
  expected: { node: string; application: string },
): Fields {
  const what = `${kind} of ${expected.node}/${expected.application}`
  const [head, body] = cutLine(bytes, what)
  understood(record(parseJson(head, what), what), what)
  const context = sealContext(kind, { node: expected.node, application: { name: expected.application } })
  return record(decompress(open(own, body, context, what), what), what)
}

function sealContext(kind: string, document: Omit<Addressed, 'contract'>): string {
  return `${kind} ${document.node}/${document.application.name}`
}

const sealedKeyLength = 1 + 32 + 12 + 32 + 16

/** A count, the content's key sealed to each recipient, and the content sealed with it. */
function sealToAll(recipients: readonly KeyObject[], plain: Uint8Array, context: string): Uint8Array {
  const key = randomBytes(32)
  const keys = recipients.map(recipient => sealTo(recipient, key, context))
  return Buffer.concat([Buffer.of(keys.length), ...keys, sealWith(key, plain, context)])
}

function openAny(own: KeyObject, body: Uint8Array, context: string, what: string): Uint8Array {
  const count = body[0] ?? 0
  const content = body.subarray(1 + count * sealedKeyLength)
  for (let at = 1; at < 1 + count * sealedKeyLength; at += sealedKeyLength) {
    try {
      return openWith(openSealed(own, body.subarray(at, at + sealedKeyLength), context), content, context)
    } catch (error) {
      if (!(error instanceof SealError)) throw error
    }
  }
  throw new FrameError(`${what}: cannot be opened: it is sealed to other keys`)
}

function open(key: KeyObject, body: Uint8Array, context: string, what: string): Uint8Array {
  try {
    return openSealed(key, body, context)
  } catch (error) {
    if (error instanceof SealError) throw new FrameError(`${what}: ${error.message}`, { cause: error })
    throw error
  }
}

function cutLine(bytes: Uint8Array, what: string): readonly [Buffer, Buffer] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = buffer.indexOf(10)
  if (end < 0) throw new FrameError(`${what}: cut short`)
  return [buffer.subarray(0, end), buffer.subarray(end + 1)]
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

type Fields = Readonly<Record<string, unknown>>

function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new FrameError(`${what}: its header is not JSON`, { cause })
  }
}

/** Neighbours understand each other: one version up or down, unknown fields ignored. */
function understood(content: Fields, what: string): number {
  const version = number(content, 'contract', what)
  if (Math.abs(version - contractVersion) <= 1) return version
  throw new FrameError(
    `${what}: written by contract version ${version}, this side speaks ${contractVersion}; upgrade the older side`,
  )
}

function record(value: unknown, what: string): Fields {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Fields
  throw new FrameError(`${what}: expected an object, found ${value === null ? 'null' : typeof value}`)
}

function records(value: unknown, what: string): readonly Fields[] {
  if (!Array.isArray(value)) throw new FrameError(`${what}: expected a list, found ${typeof value}`)
  return value.map((entry, index) => record(entry, `${what}[${index}]`))
}

function manifests(value: unknown, what: string): readonly Manifest[] {
  return records(value, what).map((entry, index) => {
    text(entry, 'apiVersion', `${what}[${index}]`)
    text(entry, 'kind', `${what}[${index}]`)
    text(record(entry.metadata, `${what}[${index}].metadata`), 'name', `${what}[${index}].metadata`)
    return entry as unknown as Manifest
  })
}

function strings(value: unknown, what: string): Readonly<Record<string, string>> {
  const content = record(value, what)
  for (const name of Object.keys(content)) text(content, name, what)
  return content as Readonly<Record<string, string>>
}

function applicationId(content: Fields, what: string): { readonly name: string; readonly uid: string } {
  const application = record(content.application, `${what}: application`)
  return { name: text(application, 'name', what), uid: text(application, 'uid', what) }
}

function sequence(content: Fields, what: string): Sequence {
  return { epoch: number(content, 'epoch', what), generation: number(content, 'generation', what) }
}

function text(content: Fields, field: string, what: string): string {
  const value = content[field]
  if (typeof value === 'string') return value
  throw new FrameError(`${what}: ${field} is ${value === undefined ? 'missing' : `no string but ${typeof value}`}`)
}

function number(content: Fields, field: string, what: string): number {
  const value = content[field]
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new FrameError(`${what}: ${field} is ${value === undefined ? 'missing' : `no whole number but ${JSON.stringify(value)}`}`)
}
