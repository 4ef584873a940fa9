// Variables while a template is compiled: each gets a slot of its frame, so that no name is looked up while it runs.
import type { GoFunction } from '../functions/signature.js'
import type { Source } from './ast.js'

export interface Variable {
  readonly name: string
  readonly slot: number
  /** The slot of the collection whose items it is given by a `range`; undefined where it is given values of pipelines. */
  holder: number | undefined
}

/** One template that is being compiled. */
export class Scope {
  readonly source: Source
  readonly functions: ReadonlyMap<string, GoFunction>
  /** As `Variable.holder`, for the dot. */
  dotHolder: number | undefined = undefined
  #variables: Variable[] = [{ name: '$', slot: 0, holder: undefined }]
  #slots = 1
  constructor(source: Source, functions: ReadonlyMap<string, GoFunction>) {
    this.source = source
    this.functions = functions
  }

  get slots(): number {
    return this.#slots
  }

  newSlot(): number {
    return this.#slots++
  }

  declare(name: string, holder?: number): number {
    const slot = this.newSlot()
    this.#variables.push({ name, slot, holder })
    return slot
  }

  /** The one declared last; undefined: it is declared in a branch that does not lead here. */
  find(name: string): Variable | undefined {
    return this.#variables.findLast(variable => variable.name === name)
  }

  /** Behind its loop, and in the else branch, a variable holds the collection itself. */
  leaveLoop(holder: number): void {
    for (const variable of this.#variables) if (variable.holder === holder) variable.holder = undefined
  }

  /** Compiles a block: what it declares ends with it, and the dot is again what it was. */
  block<T>(compile: () => T): T {
    const known = this.#variables.length
    const { dotHolder } = this
    const compiled = compile()
    this.#variables.length = known
    this.dotHolder = dotHolder
    return compiled
  }
}
