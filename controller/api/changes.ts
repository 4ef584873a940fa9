// The last changes by number, so that a stream that broke can go on where it ended, or is told that it cannot.
import type { StreamChange } from './service.js'

export interface Numbered {
  /** `<boot>-<n>`: numbers of another start of the controller mean nothing here. */
  readonly id: string
  readonly change: StreamChange
}

/** What came after `lastId`, or null: not ours, or no longer remembered, so the reader must list everything again. */
export class Changes {
  readonly #boot: string
  readonly #size: number
  readonly #ring: StreamChange[] = []
  #next = 1

  constructor(boot: string, size: number) {
    this.#boot = boot
    this.#size = size
  }

  add(change: StreamChange): Numbered {
    this.#ring.push(change)
    if (this.#ring.length > this.#size) this.#ring.shift()
    return { id: this.#id(this.#next++), change }
  }

  get lastId(): string {
    return this.#id(this.#next - 1)
  }

  after(lastId: string): readonly Numbered[] | null {
    const [boot, number] = [lastId.slice(0, lastId.lastIndexOf('-')), Number(lastId.slice(lastId.lastIndexOf('-') + 1))]
    const first = this.#next - this.#ring.length
    if (boot !== this.#boot || !Number.isInteger(number) || number < first - 1 || number >= this.#next) return null
    return this.#ring.slice(number + 1 - first).map((change, at) => ({ id: this.#id(number + 1 + at), change }))
  }

  #id(number: number): string {
    return `${this.#boot}-${number}`
  }
}

/** Whether a change is about this application; '' = every change. */
export function concerns(change: StreamChange, application: string): boolean {
  if (application === '') return true
  if (change.type === 'application') return change.view.name === application
  if (change.type === 'removed' || change.type === 'noted') return change.name === application
  return change.type === 'event' && change.event.application === application
}
