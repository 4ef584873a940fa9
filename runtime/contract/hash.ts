// One way to name content: canonical JSON (keys sorted by code unit, undefined left out), hashed with SHA-256.
import { createHash } from 'node:crypto'
import type { Manifest } from './manifest.js'

export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  let text = ''
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '' : ','}${canonicalJson(item)}`
    return `[${text}]`
  }
  const fields = value as Readonly<Record<string, unknown>>
  for (const key of Object.keys(fields).sort()) {
    const field = fields[key]
    if (field !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(field)}`
  }
  return `{${text}}`
}

/** First `digits` hex digits of the SHA-256 of the canonical JSON. */
export function contentHash(value: unknown, digits = 16): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, digits)
}

/** Manifests never change once made, and every pass asks for the hash of each. */
const known = new WeakMap<Manifest, string>()

/** Of a manifest as it is sent to a place: what `ObservedObject.hash` carries. */
export function manifestHash(manifest: Manifest): string {
  const found = known.get(manifest)
  if (found !== undefined) return found
  const hash = contentHash(manifest)
  known.set(manifest, hash)
  return hash
}
