// Compiles the statements of a template to closures; nothing of it ever becomes JavaScript source.

import type { GoFunction } from '../functions/signature.js'
import { formatted } from '../value/format.js'
import { sortedKeys } from '../value/keys.js'
import { quoted } from '../value/quote.js'
import { Bytes, Int, int, isDict, isTrue, Struct, type Value } from '../value/value.js'
import { type ControlNode, isBlank, type ListNode, type Node, type Source, type StatementNode, type TemplateNode } from './ast.js'
import { compilePipe } from './expression.js'
import { breaks, type Compiled, continues, type Execute, Frame, failure, type Maybe, onward } from './frame.js'
import { lastOfPipe, where } from './last.js'
import { printed } from './print.js'
import { Scope } from './scope.js'

/** Compiled when it first runs: most definitions of a library are never called. */
export class Template implements Compiled {
  readonly name: string
  readonly source: Source
  readonly isBlank: boolean
  readonly list: ListNode
  readonly #functions: ReadonlyMap<string, GoFunction>
  #compiled: { readonly body: Execute; readonly slots: number } | undefined = undefined
  constructor(name: string, source: Source, list: ListNode, functions: ReadonlyMap<string, GoFunction>) {
    this.name = name
    this.source = source
    this.isBlank = isBlank(list)
    this.list = list
    this.#functions = functions
  }

  get body(): Execute {
    return this.#compile().body
  }

  get slots(): number {
    return this.#compile().slots
  }

  #compile(): { readonly body: Execute; readonly slots: number } {
    if (this.#compiled !== undefined) return this.#compiled
    const scope = new Scope(this.source, this.#functions)
    const body = compileList(scope, this.list)
    this.#compiled = { body, slots: scope.slots }
    return this.#compiled
  }
}

function compileList(scope: Scope, list: ListNode): Execute {
  const statements = list.nodes.filter(node => node.kind !== 'comment').map(node => compileStatement(scope, node))
  const [first] = statements
  if (first === undefined) return () => onward
  if (statements.length === 1) return first
  const count = statements.length
  return (frame, dot) => {
    for (let at = 0; at < count; at++) {
      const flow = (statements[at] as Execute)(frame, dot)
      if (flow !== onward) return flow
    }
    return onward
  }
}

function compileStatement(scope: Scope, node: StatementNode): Execute {
  switch (node.kind) {
    case 'text':
      return frame => {
        frame.write(node.text)
        return onward
      }
    case 'comment':
      return () => onward
    case 'break':
      return () => breaks
    case 'continue':
      return () => continues
    case 'action':
      return compileAction(scope, node)
    case 'template':
      return compileTemplate(scope, node)
    case 'range':
      return compileRange(scope, node)
    default:
      return compileCondition(scope, node)
  }
}

function compileAction(scope: Scope, node: StatementNode & { readonly kind: 'action' }): Execute {
  const silent = node.pipe.declares.length > 0
  const run = compilePipe(scope, node.pipe)
  return (frame, dot) => {
    frame.rendering.meter.step()
    frame.node = node
    const value = run(frame, dot)
    if (!silent) frame.write(typeof value === 'string' ? value : printed(frame, value, node))
    return onward
  }
}

/** `if` and `with`. */
function compileCondition(scope: Scope, node: ControlNode): Execute {
  return scope.block(() => {
    const run = compilePipe(scope, node.pipe)
    const isWith = node.kind === 'with'
    const list = scope.block(() => {
      if (isWith) scope.dotHolder = undefined
      return compileList(scope, node.list)
    })
    const otherwise = scope.block(() => (node.otherwise === undefined ? () => onward : compileList(scope, node.otherwise)))
    return (frame, dot) => {
      frame.rendering.meter.step()
      frame.node = node
      const value = run(frame, dot)
      if (!isTrue(value as Value)) return otherwise(frame, dot)
      return list(frame, isWith ? value : dot)
    }
  })
}

/** The slots that each item of a range is put into; -1: none. */
interface Targets {
  readonly key: number
  readonly item: number
}

function compileRange(scope: Scope, node: ControlNode): Execute {
  return scope.block(() => {
    const holder = scope.newSlot()
    const run = compilePipe(scope, node.pipe, holder)
    const slots = node.pipe.declares.map(variable => scope.find(variable.name)?.slot ?? -1)
    const targets = { key: slots.length > 1 ? (slots[0] as number) : -1, item: slots.at(-1) ?? -1 }
    const list = scope.block(() => {
      scope.dotHolder = holder
      return compileList(scope, node.list)
    })
    scope.leaveLoop(holder)
    const otherwise = scope.block(() => (node.otherwise === undefined ? () => onward : compileList(scope, node.otherwise)))
    const at = where(lastOfPipe(node.pipe), node)
    return (frame, dot) => {
      frame.rendering.meter.step()
      frame.node = node
      const collection = run(frame, dot)
      frame.slots[holder] = collection
      const items = itemsOf(frame, collection, slots.length, () => at(frame))
      if (loop(frame, collection, items, list, targets)) return onward
      // A break in the else branch ends this range, though it is the outer one that makes it legal; a continue goes on with the outer.
      const flow = otherwise(frame, dot)
      return flow === breaks ? onward : flow
    }
  })
}

/** false: there was nothing to go through. */
function loop(frame: Frame, of: Maybe, items: Iterable<readonly [Maybe, Maybe]>, list: Execute, targets: Targets): boolean {
  const { meter } = frame.rendering
  const round = { key: undefined as Maybe, item: undefined as Maybe, of, outer: frame.loop }
  let any = false
  frame.loop = round
  for (const [key, item] of items) {
    any = true
    meter.step()
    round.key = key
    round.item = item
    if (targets.key >= 0) frame.slots[targets.key] = key
    if (targets.item >= 0) frame.slots[targets.item] = item
    if (list(frame, item) === breaks) break
  }
  frame.loop = round.outer
  return any
}

/** What a range goes through: taken before its body runs, which may change a map. */
function itemsOf(frame: Frame, value: Maybe, variables: number, at: () => Node): Iterable<readonly [Maybe, Maybe]> {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value.map((item, index) => [int(index), item] as const)
  if (isDict(value)) return sortedKeys(value).map(key => [key, value.get(key)] as const)
  if (value instanceof Bytes) return Array.from(value.bytes, (byte, index) => [int(index), int(byte, 'uint8')] as const)
  if (value instanceof Int && variables > 1)
    throw failure(frame, at(), `can't use ${formatted('%v', value)} to iterate over more than one variable`, undefined, [value])
  if (value instanceof Int) return counting(value)
  const items = value instanceof Struct ? value.items() : undefined
  if (items === undefined) throw failure(frame, at(), `range can't iterate over ${formatted('%v', value)}`, undefined, [value])
  return items
}

function* counting(limit: Int): Iterable<readonly [Maybe, Maybe]> {
  for (let count = 0n; count < limit.value; count++) yield [undefined, int(count, limit.type)]
}

function compileTemplate(scope: Scope, node: TemplateNode): Execute {
  const run = node.pipe === undefined ? () => undefined : compilePipe(scope, node.pipe)
  return (frame, dot) => {
    const { rendering, templates } = frame
    rendering.meter.step()
    frame.node = node
    const template = templates.find(node.name)
    if (template === undefined) throw failure(frame, node, `template ${quoted(node.name)} not defined`)
    const context = run(frame, dot)
    rendering.meter.depth(++rendering.depth)
    const inner = new Frame(template, templates, rendering, frame.call, context, frame.out)
    rendering.frame = inner
    template.body(inner, context)
    rendering.frame = frame
    rendering.depth--
    return onward
  }
}
