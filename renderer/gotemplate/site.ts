// Where a call stands, told so that it stays the same when a chart changes around it: what is kept for a call (a password) is found again.
import type { Value } from '../value/value.js'
import { type Node, nodeText } from './ast.js'
import type { Compiled, Frame, Rendering } from './frame.js'

/** One call on the way: by its words and not by its line, which every edit above it moves. */
export interface CallPlace {
  readonly file: string
  /** The `define` it is in; the file's own name outside of one. */
  readonly template: string
  /** `randAlphaNum 10`, `include "a.password" .` */
  readonly code: string
  /** How many calls in the same words stand before it in this template. */
  readonly nth: number
}

/** Outermost first. */
export interface Site {
  readonly calls: readonly CallPlace[]
  /** Of the loops around it, through all templates. */
  readonly keys: readonly Value[]
}

/** Of the function that is being called. */
export function siteOf(rendering: Rendering): Site {
  const calls: CallPlace[] = []
  const keys: Value[] = []
  for (let frame = rendering.frame; frame !== undefined; frame = frame.caller) {
    calls.unshift(placeIn(frame))
    for (let loop = frame.loop; loop !== undefined; loop = loop.outer) keys.unshift(loop.key ?? null)
  }
  return { calls, keys }
}

function placeIn({ template, node }: Frame): CallPlace {
  const code = node === undefined ? '' : nodeText(node)
  const nth = node === undefined ? 0 : (ordinalsOf(template).get(node) ?? 0)
  return { file: template.source.name, template: template.name, code, nth }
}

const counted = new WeakMap<Compiled, ReadonlyMap<Node, number>>()

function ordinalsOf(template: Compiled): ReadonlyMap<Node, number> {
  const known = counted.get(template)
  if (known !== undefined) return known
  const ordinals = new Map<Node, number>()
  const counts = new Map<string, number>()
  for (const node of callsIn(template.list)) {
    const words = `${node.kind} ${nodeText(node)}`
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
