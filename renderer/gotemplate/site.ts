// Where a call stands, told so that it stays the same when a chart changes around it: what is kept for a call (a password) is found again.
import { Int, isDict, isList } from '../value/value.js'
import { type Node, nodeText, type Source } from './ast.js'
import { type Caller, type Compiled, Frame, type Loop, type Maybe, type Rendering } from './frame.js'

/** One call on the way: by its words and not by its line, which every edit above it moves. */
export interface CallPlace {
  readonly file: string
  /** The `define` it is in; the file's own name outside of one. */
  readonly template: string
  /** `randAlphaNum 10`, `include "a.password" .` */
  readonly code: string
  /** The YAML key that its line begins with, else the variable that the action sets: `password`, `$ca`; '' where there is none. */
  readonly label: string
  /** How many calls in the same words on a line of the same label stand before it in this template. */
  readonly nth: number
}

/**
 * One round of a loop: a map's key; what a list's item is called (`nth` of those of that name); its number, where it has no name. So a
 * list that gains an item in front gives each of the others what it had.
 */
export type LoopKey =
  | readonly [by: 'key', key: string]
  | readonly [by: 'name', name: string, nth: number]
  | readonly [by: 'number', number: string]

/** Outermost first. */
export interface Site {
  readonly calls: readonly CallPlace[]
  /** Of the loops around it, through all templates. */
  readonly keys: readonly LoopKey[]
}

/** Of the function that is being called. */
export function siteOf(rendering: Rendering): Site {
  const calls: CallPlace[] = []
  const keys: LoopKey[] = []
  const outermost = outermostOf(rendering.frame)
  for (let frame = rendering.frame; frame !== undefined; frame = frame.caller) {
    calls.unshift(placeIn(frame))
    for (let loop = frame.loop; loop !== undefined; loop = loop.outer) keys.unshift(loopKeyOf(loop))
    if (isWholeFile(frame, outermost)) break
  }
  return { calls, keys }
}

function outermostOf(frame: Caller | undefined): Caller | undefined {
  let outer = frame
  while (outer?.caller !== undefined) outer = outer.caller
  return outer
}

/**
 * A file that another includes as it would run by itself (`include (print .Template.BasePath "/secret.yaml") . | sha256sum`): the same
 * values come of it, so that the checksum is one of what is really there.
 */
function isWholeFile(frame: Caller, outermost: Caller | undefined): boolean {
  if (!(frame instanceof Frame && outermost instanceof Frame)) return false
  const { template, slots } = frame
  return template.name === template.source.name && template.name !== 'gotpl' && slots[0] === outermost.slots[0]
}

/** What a person would call an item of a list: the first of these that it has. */
const naming = ['name', 'id', 'key', 'username', 'user', 'hostname', 'host', 'fqdn', 'domain', 'database', 'db', 'email', 'path']

function loopKeyOf({ key, item, of }: Loop): LoopKey {
  if (typeof key === 'string') return ['key', key]
  if (!isList(of)) return ['number', textIn(key ?? item)]
  const name = nameOf(item)
  const at = Number(textIn(key))
  if (name === '') return ['number', String(at)]
  return ['name', name, of.slice(0, at).filter(other => nameOf(other) === name).length]
}

/** '' where nothing in it names it. */
function nameOf(item: Maybe): string {
  if (!isDict(item)) return textIn(item)
  return naming.map(field => textIn(item.get(field))).find(text => text !== '') ?? ''
}

/** Of what is one text or number; '' of anything else. */
function textIn(value: Maybe): string {
  if (value instanceof Int) return value.value.toString()
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

function placeIn(caller: Caller): CallPlace {
  if (!(caller instanceof Frame)) return caller.place?.() ?? { file: '', template: '', code: '', label: '', nth: 0 }
  const { template, node } = caller
  const place = { file: template.source.name, template: template.name }
  if (node === undefined) return { ...place, code: '', label: '', nth: 0 }
  return { ...place, code: nodeText(node), label: labelOf(template.source, node), nth: ordinalsOf(template).get(node) ?? 0 }
}

/** `password: {{ randAlphaNum 10 }}` -> password; `{{ $ca := genCA "ca" 365 }}` -> $ca. */
function labelOf({ text }: Source, node: Node): string {
  const before = text.slice(text.lastIndexOf('\n', node.at - 1) + 1, node.at)
  const key = keyBefore(before)
  const [, variable] = /\{\{-?\s*(\$\w+)\s*:?=[^{]*$/.exec(before) ?? []
  return key !== '' ? key : (variable ?? '')
}

/** The YAML key that a line begins with. */
export function keyBefore(line: string): string {
  return /^\s*(?:- +)?["']?([\w./-]+)["']?\s*:(?!=)/.exec(line)?.[1] ?? ''
}

const counted = new WeakMap<Compiled, ReadonlyMap<Node, number>>()

function ordinalsOf(template: Compiled): ReadonlyMap<Node, number> {
  const known = counted.get(template)
  if (known !== undefined) return known
  const ordinals = new Map<Node, number>()
  const counts = new Map<string, number>()
  for (const node of callsIn(template.list)) {
    const words = `${node.kind} ${labelOf(template.source, node)} ${nodeText(node)}`
    const count = counts.get(words) ?? 0
    counts.set(words, count + 1)
    ordinals.set(node, count)
  }
  counted.set(template, ordinals)
  return ordinals
}

/** What can call: commands, functions without arguments, and `{{template}}`, in the order of the source. */
function* callsIn(node: Node): Iterable<Node> {
  if (node.kind === 'command' || node.kind === 'identifier' || node.kind === 'template') yield node
  for (const child of childrenOf(node)) yield* callsIn(child)
}

function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'list':
      return node.nodes
    case 'action':
      return [node.pipe]
    case 'template':
      return node.pipe === undefined ? [] : [node.pipe]
    case 'if':
    case 'with':
    case 'range':
      return node.otherwise === undefined ? [node.pipe, node.list] : [node.pipe, node.list, node.otherwise]
    case 'pipe':
      return node.commands
    case 'command':
      return node.args
    case 'chain':
      return [node.of]
    default:
      return []
  }
}
