// One archive of what only the controller knows: the store's entries and the key files. It holds secrets in clear: kept as keys are.
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

export interface Backup {
  readonly store: unknown
  /** Key and token files by name, base64. */
  readonly files: Readonly<Record<string, string>>
}

const format = 'slipway-backup'

export async function* packBackup(backup: Backup): AsyncIterable<Uint8Array> {
  yield await promisify(gzip)(Buffer.from(JSON.stringify({ format, version: 1, ...backup })))
}

/** Throws with a sentence for what is no backup of ours, or one of a later Slipway. */
export async function unpackBackup(bytes: Uint8Array): Promise<Backup> {
  const text = await promisify(gunzip)(bytes, { maxOutputLength: 1 << 30 }).catch(() => null)
  const parsed =
    text === null ? null : (JSON.parse(text.toString('utf8')) as Partial<Backup> & { format?: unknown; version?: unknown })
  if (parsed?.format !== format) throw new Error('This is no backup that `slipway backup` wrote.')
  if (parsed.version !== 1)
    throw new Error(`This backup has version ${String(parsed.version)}; this Slipway reads version 1: take a newer one.`)
  const files = parsed.files ?? {}
  const foreign = Object.keys(files).find(name => !fileForm.test(name))
  if (foreign !== undefined) throw new Error(`This backup names a file ${JSON.stringify(foreign)}, which is none of ours.`)
  return { store: parsed.store, files }
}

const fileForm = /^(controller\/)?[a-z][a-z.]*$/

export interface FilePlan {
  /** Not there: they are put back. */
  readonly missing: readonly string[]
  /** Keys that are others here: nodes obey them, and what is stored is sealed with them. */
  readonly otherKeys: readonly string[]
  /** Tokens that are others here: made or revoked since. */
  readonly otherTokens: readonly string[]
}

/** What a backup's files would do to those that are here. */
export function filePlan(kept: Backup['files'], here: Backup['files']): FilePlan {
  const names = Object.keys(kept).sort()
  const differing = names.filter(name => here[name] !== undefined && here[name] !== kept[name])
  return {
    missing: names.filter(name => here[name] === undefined),
    otherKeys: differing.filter(isKey),
    otherTokens: differing.filter(name => !isKey(name)),
  }
}

function isKey(name: string): boolean {
  return name.startsWith('controller/')
}
