// YAML text to values with the place of every key: manifests, and declarations. The same reading as Helm's and kubectl's (decode.ts), told for people.
import { faultAt, holdsSecrets, type Place, placeOf, RenderFault } from '../fault.js'
import { defaultLimits, type Limits } from '../limits.js'
import type { Value } from '../value/value.js'
import { decodeNode, entryOf, TwiceError, YamlError, YamlLimit } from './decode.js'
import { type Node, parseAll } from './nodes.js'

export interface YamlOptions {
  readonly file: string
  readonly limits: Limits
  /** `manifest`: a key there twice is an error. `values`: the last one wins, as in Helm, and no excerpt shows a value. */
  readonly mode: 'manifest' | 'values'
  /** Of a text that a template wrote: faults and places are told in the template. */
  readonly template?: { readonly source: string; readonly lineAt: (offset: number) => number }
}

export interface YamlDocument {
  /** Integers beyond 2^53 stay `Int`. */
  readonly value: Value
  /** Offset of its first node. */
  readonly start: number
  /** Where its first node stands. */
  readonly place: Place
  /** Where a key or item stands; of a path that is not there: its nearest parent. */
  locate(path: readonly (string | number)[]): Place
}

/** Every document of the text, empty ones as null. Throws `RenderFault` with the place. */
export function loadYaml(text: string, options: YamlOptions): YamlDocument[] {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  const { limits, file } = options
  if (source.length > limits.yaml)
    throw new RenderFault('LimitExceeded', `${file}: ${source.length} characters of YAML; the limit is ${limits.yaml}`)
  try {
    return parseAll(source, limits.nesting).map(node => documentOf(node, source, options))
  } catch (cause) {
    if (!(cause instanceof YamlError)) throw cause
    throw faultOf(cause, source, options)
  }
}

/** Where a text stops being YAML; null where it is. */
export function faultPlace(text: string): Place | null {
  try {
    parseAll(text, defaultLimits.nesting)
    return null
  } catch (cause) {
    if (!(cause instanceof YamlError)) throw cause
    return placeOf('', text, cause.at < 0 ? offsetOfLine(text, cause.line) : cause.at)
  }
}

function documentOf(node: Node, source: string, options: YamlOptions): YamlDocument {
  const { nodes, aliases } = options.limits
  const strict = options.mode === 'manifest'
  return {
    value: decodeNode(node, { integers: 'exact', strict, nodes, aliases }),
    start: node.at,
    place: placed(node.at, source, options),
    locate: path => placed(offsetOf(node, path), source, options),
  }
}

function offsetOf(root: Node, path: readonly (string | number)[]): number {
  let at = root.at
  let node = root
  for (const step of path) {
    while (node.kind === 'alias') node = node.target
    if (node.kind === 'mapping') {
      const entry = entryOf(node, String(step))
      if (entry === null) break
      at = entry.key.at
      node = entry.value
    } else if (node.kind === 'sequence') {
      const item = node.items[Number(step)]
      if (item === undefined) break
      at = item.at
      node = item
    } else break
  }
  return at
}

function placed(offset: number, source: string, { file, template }: YamlOptions): Place {
  return template === undefined ? placeOf(file, source, offset) : { file, line: template.lineAt(offset), column: 0 }
}

function faultOf(error: YamlError, source: string, options: YamlOptions): RenderFault {
  const { template, mode, file } = options
  const shown = template?.source ?? source
  const hide = mode === 'values' || holdsSecrets(shown) ? 'texts' : 'nothing'
  const offset = error.at < 0 ? offsetOfLine(source, error.line) : error.at
  const first = error instanceof TwiceError ? ` (first in line ${placeOf('', source, error.first).line})` : ''
  const what = `${error.told}${first}${error instanceof YamlLimit ? ' (the limit)' : ''}`
  return faultAt(
    error instanceof YamlLimit ? 'LimitExceeded' : 'InvalidYaml',
    placed(offset, source, options),
    template === undefined ? what : `${what} (line ${placeOf(file, source, offset).line} of what it rendered)`,
    shown,
    hide,
  )
}

function offsetOfLine(source: string, line: number): number {
  let at = 0
  for (let count = 1; count < line; count++) {
    const end = source.indexOf('\n', at)
    if (end < 0) break
    at = end + 1
  }
  return at
}
