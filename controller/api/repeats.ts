// Idempotency-Key: the same key and body by the same caller get the first answer again; nothing is done twice.
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { RefusedError } from './service.js'

interface Remembered {
  readonly body: string
  readonly answer: Promise<unknown>
}

/** Remembers the answers of the last hour, at most 5,000. A failed one is forgotten, so that it can be tried again. */
export class Repeats {
  readonly #remembered = new LRUCache<string, Remembered>({ maxSize: 5000, sizeCalculation: () => 1, ttl: 3_600_000 })

  /** `key` undefined: just does it. `scope`: caller and route, so that keys of different people never meet. */
  once<T>(scope: string, key: string | undefined, body: unknown, act: () => Promise<T>): Promise<T> {
    if (key === undefined) return act()
    const id = createHash('sha256')
      .update(JSON.stringify([scope, key]))
      .digest('hex')
    const said = JSON.stringify(body ?? null)
    const before = this.#remembered.get(id)
    if (before === undefined) return this.#remember(id, said, act())
    if (before.body === said) return before.answer as Promise<T>
    throw new RefusedError(422, 'idempotencyKeyReused', 'This Idempotency-Key was used for another request; make a new one.')
  }

  #remember<T>(id: string, body: string, answer: Promise<T>): Promise<T> {
    this.#remembered.set(id, { body, answer })
    answer.catch(() => this.#remembered.delete(id))
    return answer
  }
}
