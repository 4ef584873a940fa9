// The syntax tree that is evaluated: only what a chart may say. What the parser gives beyond it is refused by name.
import type { Value } from '../value/value.js'

export interface Spot {
  /** From 1. */
  readonly line: number
  readonly column: number
}

export interface Program {
  readonly body: readonly Statement[]
  readonly blockParams: readonly string[]
}

/** A call on the way to what is kept for it, told so that an edit elsewhere does not change it (gotemplate/site.ts). */
export interface Words {
  /** `randAlphaNum 10`, `> labels this` */
  readonly code: string
  /** The YAML key that its line begins with: `password`; '' where there is none. */
  readonly label: string
  /** How many calls in the same words on a line of the same label stand before it in this template. */
  readonly nth: number
}

export type Statement =
  | { readonly type: 'content'; readonly text: string; readonly spot: Spot }
  | { readonly type: 'print'; readonly call: Expression; readonly spot: Spot }
  | Block
  | Partial

export interface Block {
  readonly type: 'block'
  readonly name: 'if' | 'unless' | 'with' | 'each'
  readonly subject: Expression
  readonly program: Program
  readonly inverse: Program
  readonly spot: Spot
}

export interface Partial {
  readonly type: 'partial'
  /** A text is a name; `@partial-block` is what the caller put between its tags. */
  readonly name: Expression | string
  readonly context: Expression | null
  readonly named: Named
  readonly indent: string
  /** It has a line to itself, so what it writes ends one. */
  readonly ownLine: boolean
  /** Of `{{#> name}}...{{/name}}`. */
  readonly block: Program | null
  readonly words: Words
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
      readonly words: Words
      readonly spot: Spot
    }

export type CallExpression = Extract<Expression, { type: 'call' }>

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
