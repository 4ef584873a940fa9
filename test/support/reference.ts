// The reference data beside the repository (`../shared`: corpus, conformance): not copied into it, so a checkout may lack it.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { int, type Value } from '../../renderer/value/value.js'

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

/** The typed JSON of the conformance tables. */
export type Typed = null | boolean | number | string | readonly Typed[] | { readonly [key: string]: Typed }

export function goValue(typed: Typed): Value {
  if (typeof typed === 'number') return Number.isInteger(typed) ? int(typed) : typed
  if (typed === null || typeof typed !== 'object') return typed
  if (isArray(typed)) return typed.map(goValue)
  const { $type: type, v, base64 } = typed
  if (typeof type !== 'string') return new Map(Object.entries(typed).map(([key, item]) => [key, goValue(item)] as const))
  if (typeof base64 === 'string')
    return Buffer.from(base64, 'base64')
      .toString('latin1')
      .replace(/[\x80-\xff]/g, char => String.fromCharCode(0xdc00 + char.charCodeAt(0)))
  if (v === undefined || v === null) return null
  if (type.startsWith('float'))
    return v === '+Inf' ? Number.POSITIVE_INFINITY : v === '-Inf' ? Number.NEGATIVE_INFINITY : Number(v)
  if (/^u?int/.test(type)) return int(BigInt(String(v)))
  if (type === 'map[any]any')
    return new Map((v as readonly (readonly [Typed, Typed])[]).map(([key, item]) => [String(key), goValue(item)]))
  return goValue(v)
}

function isArray(typed: Typed): typed is readonly Typed[] {
  return Array.isArray(typed)
}
