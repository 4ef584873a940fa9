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
  return { store: parsed.store, files: parsed.files ?? {} }
}
