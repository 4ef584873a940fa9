// What a template has in its hands while it runs, and how it fails with its place.
import { faultAt, placeOf, RenderFault } from '../fault.js'
import type { Call } from '../functions/signature.js'
import type { Meter } from '../limits.js'
import { quoted } from '../value/quote.js'
import type { Value } from '../value/value.js'
import { type ListNode, type Node, nodeText, type Source } from './ast.js'
import { ExecError, goPosition } from './error.js'
import type { CallPlace } from './site.js'

/**
 * undefined is Go's invalid reflect.Value, "no value": a pipeline that ends in nil, a missing key. null is a nil that lies in an
 * interface, as a map's entry or a list's item; the end of every pipeline takes it for no value.
 */
export type Maybe = Value | undefined

/** How a statement ended. */
export type Flow = 0 | 1 | 2
export const onward: Flow = 0
export const breaks: Flow = 1
export const continues: Flow = 2

export type Evaluate = (frame: Frame, dot: Maybe) => Maybe
export type Execute = (frame: Frame, dot: Maybe) => Flow

/** What a key that is not in a map gives: nothing, the zero of the map's type, or an error (text/template `missingkey`). */
export type MissingKey = 'default' | 'zero' | 'error'

/** One render: what all of its templates share, however deep they stand inside one another. */
export class Rendering {
  readonly meter: Meter
  readonly missingKey: MissingKey
  depth = 0
  /** The innermost template that runs, in whichever language. */
  frame: Caller | undefined = undefined
  constructor(meter: Meter, missingKey: MissingKey = 'default') {
    this.meter = meter
    this.missingKey = missingKey
  }
}

/** A parsed template, as a frame sees it. */
export interface Running {
  readonly name: string
  readonly source: Source
}

/** Where names of templates are looked up. */
export interface Templates {
  find(name: string): Compiled | undefined
}

export interface Compiled extends Running {
  /** Nothing but space and comments. */
  readonly isBlank: boolean
  readonly body: Execute
  /** How many variables it has, `$` among them. */
  readonly slots: number
  readonly list: ListNode
}

/** A `range` that is going on. */
export interface Loop {
  key: Maybe
  item: Maybe
  /** What it goes through. */
  readonly of: Maybe
  readonly outer: Loop | undefined
}

/** A template that runs, as what is kept for its calls sees it (site.ts). */
export interface Caller {
  readonly caller: Caller | undefined
  readonly loop: Loop | undefined
  /** Of a template in another language: where its running call stands. */
  place?(): CallPlace
}

/** One template that runs. */
export class Frame implements Caller {
  readonly template: Compiled
  readonly templates: Templates
  readonly rendering: Rendering
  readonly call: Call
  readonly caller: Caller | undefined
  readonly slots: Maybe[]
  out: string[]
  /** The statement or call that is running. */
  node: Node | undefined = undefined
  /** Which operand an `and` or `or` looked at last: an error behind it is told there. */
  last: Node | undefined = undefined
  loop: Loop | undefined = undefined
  constructor(template: Compiled, templates: Templates, rendering: Rendering, call: Call, dot: Maybe, out: string[]) {
    this.template = template
    this.templates = templates
    this.rendering = rendering
    this.call = call
    this.caller = rendering.frame
    this.slots = new Array<Maybe>(template.slots)
    this.slots[0] = dot
    this.out = out
  }

  write(text: string): void {
    this.rendering.meter.wrote(text.length)
    this.out.push(text)
  }
}

/** `template: NAME:LINE:COLUMN: executing "TEMPLATE" at <CODE>: WHAT`. */
export function failure(frame: Frame, node: Node, what: string, cause?: unknown, given: readonly Value[] = []): ExecError {
  const { source, name } = frame.template
  const { line, column } = goPosition(source, node.at)
  const message = `template: ${source.name}:${line}:${column}: executing ${quoted(name)} at <${nodeText(node)}>: ${what}`
  return new ExecError(message, placeOf(source.name, source.text, node.at), source, what, cause, given)
}

/** A limit that was reached, with its place. */
class PlacedFault extends RenderFault {
  readonly hasPlace = true
}

/** JavaScript's stack is full. Where that is found there is no room to word an error: it is worded where the stack is nearly empty. */
class StackFull extends Error {
  readonly frame: Frame
  constructor(frame: Frame) {
    super()
    this.frame = frame
  }
}

/** What a failed execution throws: a limit's fault with the place of what was running, anything else as it is. */
export function placed(error: unknown, frame: Frame, isOutermost: boolean): unknown {
  // Not looked into: it grows with each template that it comes out of, and would be copied a thousand times.
  if (error instanceof ExecError) return error
  if (error instanceof StackFull) return isOutermost ? placedFault(error.frame, tooDeep) : error
  if (isStackFull(error)) return isOutermost ? placedFault(frame, tooDeep) : new StackFull(frame)
  if (error instanceof RangeError) return placedFault(frame, tooLong)
  if (error instanceof PlacedFault || !(error instanceof RenderFault)) return error
  return placedFault(frame, (error as Error).message)
}

const tooDeep = 'templates inside one another, too deep; does one include itself?'

/** The engine's own limits on texts and lists, where none of ours came before them. */
const tooLong = 'a text or a list is longer than can be held; what is repeated?'

/** A full stack inside the engine's own code is not always a RangeError. */
function isStackFull(error: unknown): boolean {
  return error instanceof Error && error.message.includes('Maximum call stack size exceeded')
}

function placedFault(frame: Frame, what: string): RenderFault {
  const { source } = frame.template
  const fault = faultAt('LimitExceeded', placeOf(source.name, source.text, frame.node?.at ?? 0), what, source.text)
  return new PlacedFault('LimitExceeded', fault.message, fault.excerpt)
}
