// Which paths of an object its application's `ignoreDifferences` name. jq's expressions are asked elsewhere; the rest is decided here.

import type { ObjectRef } from '../../../runtime/contract/manifest.js'
import type { IgnoreRule } from '../../application.js'
import type { Sent } from './client.js'
import { isMap, managedOf, type Path, pathsIn, union } from './managed.js'

/** Paths that a jq path expression gives for an object; throws with jq's own word. */
export type AskJq = (expression: string, object: Sent) => Promise<readonly Path[]>

export function rulesFor(rules: readonly IgnoreRule[], { group, kind, namespace, name }: ObjectRef): readonly IgnoreRule[] {
  return rules.filter(
    rule =>
      fits(rule.group, group) &&
      fits(rule.kind, kind) &&
      (rule.name === '' || rule.name === name) &&
      (rule.namespace === '' || rule.namespace === namespace),
  )
}

/** `*` stands for any text. */
function fits(pattern: string, text: string): boolean {
  if (!pattern.includes('*')) return pattern === text
  const escaped = pattern.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${escaped.join('.*')}$`).test(text)
}

/** `live`: whose managed fields say what a manager owns. */
export async function ignoredPaths(rules: readonly IgnoreRule[], object: Sent, live: Sent, jq: AskJq): Promise<readonly Path[]> {
  const paths: Path[] = []
  for (const rule of rules) {
    paths.push(...rule.jsonPointers.flatMap(pointer => pointed(pointer, object)))
    paths.push(...managedPaths(rule.managedFieldsManagers, object, live))
    for (const expression of rule.jqPathExpressions) paths.push(...(await jq(expression, object)))
  }
  return paths
}

/** Expressions that can never be heeded, each with its place in the declaration. */
export async function ruleFaults(
  rules: readonly IgnoreRule[],
  fault: (expression: string) => Promise<string>,
): Promise<readonly string[]> {
  const found: string[] = []
  for (const [at, { jqPathExpressions }] of rules.entries())
    for (const [index, expression] of jqPathExpressions.entries()) {
      const message = await fault(expression)
      if (message !== '') found.push(`spec.ignoreDifferences[${at}].jqPathExpressions[${index}]: ${message}`)
    }
  return found
}

function managedPaths(managers: readonly string[], object: Sent, live: Sent): readonly Path[] {
  const sets = managedOf(live).filter(one => managers.includes(one.manager ?? ''))
  return pathsIn(object, sets.map(one => one.fieldsV1 ?? {}).reduce(union, {}))
}

/** RFC 6901; none where nothing is there. */
function pointed(pointer: string, object: Sent): readonly Path[] {
  const parts = pointer
    .split('/')
    .slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const path: (string | number)[] = []
  let at: unknown = object
  for (const part of parts) {
    const key = Array.isArray(at) ? Number(part) : part
    const next = Array.isArray(at) ? at[Number(part)] : isMap(at) ? at[part] : undefined
    if (next === undefined) return []
    path.push(key)
    at = next
  }
  return path.length === 0 ? [] : [path]
}

/** The object without these; elements of lists are taken out. */
export function withoutPaths<T>(object: T, paths: readonly Path[]): T {
  // Later elements of a list first: the places of those before stay what they are.
  const sorted = paths.toSorted(lastFirst)
  return sorted.reduce<unknown>((value, path) => without(value, path), object) as T
}

function lastFirst(a: Path, b: Path): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [left, right] = [a[at]!, b[at]!]
    if (left === right) continue
    if (typeof left === 'number' && typeof right === 'number') return right - left
    return String(left) < String(right) ? 1 : -1
  }
  return b.length - a.length
}

function without(value: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined) return value
  if (Array.isArray(value)) {
    const index = Number(key)
    if (index >= value.length) return value
    return rest.length === 0
      ? value.filter((_, at) => at !== index)
      : value.map((one, at) => (at === index ? without(one, rest) : one))
  }
  if (!isMap(value) || !Object.hasOwn(value, key)) return value
  const { [key]: inner, ...others } = value
  return rest.length === 0 ? others : { ...value, [key]: without(inner, rest) }
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => (Array.isArray(at) ? at[Number(key)] : isMap(at) ? at[String(key)] : undefined), value)
}

/** The same place in another copy of the object: elements of lists are known by their names, where they have one. */
export function placeIn(from: unknown, path: Path, to: unknown): Path | null {
  const found: (string | number)[] = []
  let [here, there] = [from, to]
  for (const key of path) {
    const next = Array.isArray(there) && Array.isArray(here) ? sameElement(here[Number(key)], Number(key), there) : key
    here = valueAt(here, [key])
    there = valueAt(there, [next])
    if (there === undefined) return null
    found.push(next)
  }
  return found
}

function sameElement(element: unknown, index: number, list: readonly unknown[]): number {
  if (!isMap(element)) return list.indexOf(element)
  const name = ['name', 'key', 'mountPath', 'containerPort', 'ip'].find(field => element[field] !== undefined)
  return name === undefined ? index : list.findIndex(one => isMap(one) && one[name] === element[name])
}

/** With another value at a path that is there. */
export function withValue<T>(object: T, path: Path, value: unknown): T {
  const [key, ...rest] = path
  if (key === undefined) return value as T
  if (Array.isArray(object)) return object.map((one, at) => (at === Number(key) ? withValue(one, rest, value) : one)) as T
  if (!isMap(object)) return object
  return { ...object, [key]: withValue(object[key], rest, value) } as T
}
