// How much one render may cost. Counted, not timed: the same files give the same error every time.
import { RenderFault } from './fault.js'
import { beginWork } from './work.js'

export interface Limits {
  /** Statements and expressions evaluated. */
  readonly steps: number
  /** Partials, includes and tpl inside one another. Helm has 1,000 for each name; a stack of less than 3 MB is full before. */
  readonly depth: number
  /** Parts of values that functions go through, and every thirty characters of long texts (`work.ts`). */
  readonly work: number
  /** Characters written by all templates together, those inside includes counted each time. */
  readonly output: number
  /** Characters of one string that a function makes. */
  readonly text: number
  /** Items of one list or map that a function makes. */
  readonly items: number
  /** Texts that `tpl` parses. */
  readonly parses: number
  /** What keys, certificates and slow hashes of one render may cost: a bcrypt is 1, an RSA key of 2048 bits 4, of 4096 bits 30. Public charts need up to 90. */
  readonly secrets: number
  /** Characters of one file or rendered template that is read as YAML. */
  readonly yaml: number
  /** YAML nodes of one text, aliases expanded. */
  readonly nodes: number
  /** Aliases of one text. */
  readonly aliases: number
  /** YAML collections inside one another. */
  readonly nesting: number
}

export const defaultLimits: Limits = {
  steps: 2_000_000,
  depth: 1_500,
  work: 20_000_000,
  output: 16_000_000,
  text: 4_000_000,
  items: 100_000,
  parses: 10_000,
  secrets: 120,
  yaml: 8_000_000,
  nodes: 500_000,
  aliases: 1_000,
  nesting: 100,
}

/** Counts down one render. Exceeding is a `RenderFault` whose place the evaluator adds. */
export class Meter {
  readonly limits: Limits
  #steps = 0
  #output = 0
  #parses = 0
  #secrets = 0
  constructor(limits: Limits) {
    this.limits = limits
    beginWork(limits.work)
  }

  step(): void {
    if (++this.#steps > this.limits.steps) exceeded(`more than ${this.limits.steps} steps`, 'is there a loop over a loop?')
  }

  depth(depth: number): void {
    if (depth > this.limits.depth)
      exceeded(`more than ${this.limits.depth} templates inside one another`, 'does one include itself?')
  }

  wrote(characters: number): void {
    this.#output += characters
    if (this.#output > this.limits.output) exceeded(`more than ${this.limits.output} characters of output`, 'what is repeated?')
  }

  parsed(): void {
    if (++this.#parses > this.limits.parses)
      exceeded(`tpl called more than ${this.limits.parses} times`, 'is it called in a loop?')
  }

  secret(cost: number): void {
    this.#secrets += cost
    if (this.#secrets > this.limits.secrets)
      exceeded(`keys, certificates and slow hashes of a cost of more than ${this.limits.secrets}`, 'are they made in a loop?')
  }

  text(length: number): void {
    if (length > this.limits.text) exceeded(`a text of more than ${this.limits.text} characters`, 'what is repeated?')
  }

  items(count: number): void {
    if (count > this.limits.items) exceeded(`a list of more than ${this.limits.items} items`, 'what is repeated?')
  }
}

function exceeded(what: string, ask: string): never {
  throw new RenderFault('LimitExceeded', `${what} (the limit); ${ask}`)
}
