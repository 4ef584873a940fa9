// What renders came to, by what they depended on. The last of each application stays: applications share the rest of the room.
import { LRUCache } from 'lru-cache'
import type { Rejection, Release } from '../release.js'
import type { Uses } from '../sticky.js'

export type Outcome = (
  | { readonly release: Release; readonly warnings: readonly string[] }
  | { readonly rejection: Rejection }
) & { readonly uses: Uses }

/** How long a render that had to be ended is not tried again: it may take the only child for its whole time, ms. */
export const killedMs = 60_000

/** Of outcomes that are no application's last: a commit that is reverted comes back without a render. Characters of JSON. */
const mostCharacters = 32_000_000
const mostTrees = 50_000

export class Outcomes {
  readonly #older = new LRUCache<string, Outcome>({ maxSize: mostCharacters, sizeCalculation: one => JSON.stringify(one).length })
  /** By tree: what of it was read. */
  readonly #trees = new LRUCache<string, string>({ maxSize: mostTrees, sizeCalculation: () => 1 })
  readonly #last = new Map<string, { readonly inputs: string; readonly outcome: Outcome }>()

  ofTree(application: string, tree: string): Outcome | undefined {
    const inputs = this.#trees.get(tree)
    return inputs === undefined ? undefined : this.get(application, inputs)
  }

  get(application: string, inputs: string): Outcome | undefined {
    const last = this.#last.get(application)
    return last?.inputs === inputs ? last.outcome : this.#older.get(inputs)
  }

  put(application: string, tree: string, inputs: string, outcome: Outcome): Outcome {
    if ('rejection' in outcome && outcome.rejection.transient) {
      this.#trees.set(tree, inputs)
      this.#older.set(inputs, outcome, { ttl: killedMs })
      return outcome
    }
    const before = this.#last.get(application)
    if (before !== undefined && before.inputs !== inputs) this.#older.set(before.inputs, before.outcome)
    this.#last.set(application, { inputs, outcome })
    this.#trees.set(tree, inputs)
    return outcome
  }

  forget(application: string): void {
    this.#last.delete(application)
  }
}
