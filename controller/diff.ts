// What differs between two lists of objects: an RFC 6902 patch for programs, a unified text for people. Values of Secrets never show:
// they are replaced by a keyed hash, so that only "changed" can be seen.
import { createHmac } from 'node:crypto'
import patches from 'fast-json-patch'
import { canonicalJson } from '../runtime/contract/hash.js'
import { type Manifest, type ObjectRef, refKey, refOf } from '../runtime/contract/manifest.js'

export interface ObjectDiff {
  readonly ref: ObjectRef
  readonly change: 'added' | 'removed' | 'changed'
  /** RFC 6902, from -> to, of the masked objects; whole-object operations where it was added or removed. */
  readonly patch: readonly unknown[]
  /** Unified, three lines of context, keys sorted. */
  readonly text: string
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** Sorted by ref. `key` keys the hashes: equal values look equal within one key, and cannot be guessed without it. */
export function diffObjects(from: readonly Manifest[], to: readonly Manifest[], key: string): readonly ObjectDiff[] {
  const before = masked(from, key)
  const after = masked(to, key)
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort()
  return keys.flatMap(one => diffOf(before.get(one) ?? null, after.get(one) ?? null) ?? [])
}

function masked(objects: readonly Manifest[], key: string): ReadonlyMap<string, Manifest> {
  return new Map(objects.map(object => [refKey(refOf(object)), maskSecret(object, key)]))
}

function diffOf(from: Manifest | null, to: Manifest | null): ObjectDiff | null {
  const ref = refOf((to ?? from)!)
  const text = unified(linesOf(from), linesOf(to))
  if (from === null) return { ref, change: 'added', patch: [{ op: 'add', path: '', value: to }], text }
  if (to === null) return { ref, change: 'removed', patch: [{ op: 'remove', path: '' }], text }
  if (canonicalJson(from) === canonicalJson(to)) return null
  return { ref, change: 'changed', patch: patches.compare(from, to), text }
}

/** A Secret with its values replaced by `<hash of 8 hex digits>`; stringData counts as data; other kinds as they are. */
export function maskSecret(object: Manifest, key: string): Manifest {
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1') return object
  const { data, stringData, ...rest } = object
  const plain = Object.entries(recordOf(stringData)).map(([name, value]) => [
    name,
    maskedValue(name, Buffer.from(String(value)), key),
  ])
  const coded = Object.entries(recordOf(data)).map(([name, value]) => [
    name,
    maskedValue(name, Buffer.from(String(value ?? ''), 'base64'), key),
  ])
  return { ...rest, metadata: withoutLastApplied(object.metadata), data: Object.fromEntries([...coded, ...plain]) }
}

/** `<8 hex digits>`. */
export function maskedValue(name: string, value: Buffer, key: string): string {
  return `<${createHmac('sha256', key).update(`${name}\0`).update(value).digest('hex').slice(0, 8)}>`
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/** kubectl keeps the whole object there, Secret values included. */
function withoutLastApplied(metadata: Manifest['metadata']): Manifest['metadata'] {
  if (metadata.annotations?.[lastApplied] === undefined) return metadata
  const { [lastApplied]: _, ...annotations } = metadata.annotations
  return { ...metadata, annotations }
}

// -- text --

/** One line a field, keys sorted, in the manner of YAML: enough to be read, not meant to be parsed. */
export function linesOf(value: unknown, indent = ''): readonly string[] {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) return value.flatMap(item => itemLines(item, indent))
  const entries = Object.entries(value as object).filter(([, field]) => field !== undefined)
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, field]) => fieldLines(name, field, indent))
}

function fieldLines(name: string, field: unknown, indent: string): readonly string[] {
  if (isLeaf(field)) return scalarLines(`${indent}${name}:`, field, indent)
  return [`${indent}${name}:`, ...linesOf(field, `${indent}  `)]
}

function itemLines(item: unknown, indent: string): readonly string[] {
  if (isLeaf(item)) return scalarLines(`${indent}-`, item, indent)
  const [first, ...rest] = linesOf(item, `${indent}  `)
  return first === undefined ? [`${indent}- {}`] : [`${indent}- ${first.slice(indent.length + 2)}`, ...rest]
}

function isLeaf(value: unknown): boolean {
  return value === null || typeof value !== 'object' || Object.keys(value).length === 0
}

function scalarLines(head: string, value: unknown, indent: string): readonly string[] {
  if (typeof value === 'string' && value.includes('\n'))
    return [
      `${head} |`,
      ...value
        .replace(/\n$/, '')
        .split('\n')
        .map(line => `${indent}  ${line}`),
    ]
  const text =
    typeof value === 'string' && /^[\w./@-][\w ./:@+-]*$/.test(value) && !value.endsWith(' ') ? value : JSON.stringify(value)
  return [`${head} ${text}`]
}

const context = 3

interface Line {
  readonly sign: ' ' | '-' | '+'
  readonly text: string
}

export function unified(from: readonly string[], to: readonly string[]): string {
  const lines = compared(from, to)
  const isNear = lines.map((_, at) => lines.slice(Math.max(0, at - context), at + context + 1).some(line => line.sign !== ' '))
  const out: string[] = []
  lines.forEach((line, at) => {
    if (isNear[at]) out.push(`${line.sign}${line.text}`)
    else if (isNear[at - 1] || at === 0) out.push('@@')
  })
  return out.filter((line, at) => line !== '@@' || at < out.length - 1).join('\n')
}

/** Longest common subsequence; beyond a million cells (objects of over a thousand lines) whole blocks are exchanged. */
function compared(from: readonly string[], to: readonly string[]): readonly Line[] {
  let head = 0
  while (head < from.length && head < to.length && from[head] === to[head]) head += 1
  let tail = 0
  while (tail < from.length - head && tail < to.length - head && from[from.length - 1 - tail] === to[to.length - 1 - tail])
    tail += 1
  const same = (lines: readonly string[]) => lines.map(text => ({ sign: ' ' as const, text }))
  const middle = woven(from.slice(head, from.length - tail), to.slice(head, to.length - tail))
  return [...same(from.slice(0, head)), ...middle, ...same(from.slice(from.length - tail))]
}

function woven(from: readonly string[], to: readonly string[]): readonly Line[] {
  const removed = (text: string): Line => ({ sign: '-', text })
  const added = (text: string): Line => ({ sign: '+', text })
  if (from.length * to.length > 1_000_000) return [...from.map(removed), ...to.map(added)]
  const width = to.length + 1
  const length = new Uint32Array((from.length + 1) * width)
  for (let i = from.length - 1; i >= 0; i -= 1) {
    for (let j = to.length - 1; j >= 0; j -= 1) {
      const below = length[(i + 1) * width + j]!
      const right = length[i * width + j + 1]!
      length[i * width + j] = from[i] === to[j] ? length[(i + 1) * width + j + 1]! + 1 : Math.max(below, right)
    }
  }
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < from.length || j < to.length) {
    if (i < from.length && j < to.length && from[i] === to[j]) {
      lines.push({ sign: ' ', text: from[i]! })
      i += 1
      j += 1
    } else if (i < from.length && (j === to.length || length[(i + 1) * width + j]! >= length[i * width + j + 1]!))
      lines.push(removed(from[i++]!))
    else lines.push(added(to[j++]!))
  }
  return lines
}
