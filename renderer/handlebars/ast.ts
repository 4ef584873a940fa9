// The syntax tree that is evaluated: only what a chart may say. What the parser gives beyond it is refused by name.
import type { Value } from '../value.js'

export interface Spot {
  /** From 1. */
  readonly line: number
  readonly column: number
}

export interface Program {
  readonly body: readonly Statement[]
  readonly blockParams: readonly string[]
}

export type Statement =
  | { readonly type: 'content'; readonly text: string; readonly spot: Spot }
  | { readonly type: 'print'; readonly call: Expression; readonly spot: Spot }
  | {
      readonly type: 'block'
      readonly name: 'if' | 'unless' | 'with' | 'each'
      readonly subject: Expression
      readonly program: Program
      readonly inverse: Program
      readonly spot: Spot
    }
  | {
      readonly type: 'partial'
      readonly name: Expression | string
      readonly context: Expression | null
      readonly named: Named
      readonly indent: string
      readonly spot: Spot
    }

export type Named = readonly { readonly key: string; readonly value: Expression }[]

export type Expression =
  | { readonly type: 'literal'; readonly value: Value; readonly spot: Spot }
  | Path
  | {
      readonly type: 'call'
      readonly name: string
      readonly args: readonly Expression[]
      readonly named: Named
      readonly spot: Spot
    }

export interface Path {
  readonly type: 'path'
  /** As it was written. */
  readonly text: string
  /** `@root.x`, `@index`. */
  readonly data: boolean
  /** How many `../`. */
  readonly up: number
  readonly parts: readonly string[]
  /** Begins with `this.` or `./`: never a function or block parameter. */
  readonly scoped: boolean
  readonly spot: Spot
}
