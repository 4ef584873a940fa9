// The reference data beside the repository (`../shared`: corpus, conformance): not copied into it, so a checkout may lack it.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** null where it is not there; `SLIPWAY_REFERENCE` names another place. */
export function referenceDir(part: string): string | null {
  const places = [process.env.SLIPWAY_REFERENCE ?? '', '../shared', '../../shared'].filter(place => place !== '')
  return places.map(place => join(resolve(place), part)).find(path => existsSync(path)) ?? null
}

/** A table of `conformance/`; null where the checkout has none. */
export function conformance<T>(file: string): readonly T[] | null {
  const path = referenceDir(join('conformance', file))
  return path === null ? null : (JSON.parse(readFileSync(path, 'utf8')) as readonly T[])
}

/** Hostile input is written as `{"$repeat":[TEXT,N]}` and `{"$concat":[...]}`. */
export type Text = string | { readonly $repeat: readonly [Text, number] } | { readonly $concat: readonly Text[] }

export function textOf(text: Text): string {
  if (typeof text === 'string') return text
  if ('$repeat' in text) return textOf(text.$repeat[0]).repeat(text.$repeat[1])
  return text.$concat.map(textOf).join('')
}
