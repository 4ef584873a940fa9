// Numbers given out by key, kept for the key and recycled late: what was given back longest ago comes first. Pure.

export interface Pool {
  /** Numbers are 0 to size - 1. */
  readonly size: number
  /** The lowest number never given out. */
  readonly next: number
  readonly held: Readonly<Record<string, number>>
  /** Given back, oldest first. The number stays its key's until somebody else needs it. */
  readonly free: readonly { readonly key: string; readonly number: number }[]
}

export interface Taken {
  readonly pool: Pool
  readonly number: number
}

export function emptyPool(size: number): Pool {
  return { size, next: 0, held: {}, free: [] }
}

/** The key's number, the same as before where it still is its own; null when all are held. New ones are chosen around `avoid`. */
export function take(pool: Pool, key: string, avoid: (number: number) => boolean = () => false): Taken | null {
  const held = pool.held[key]
  if (held !== undefined) return { pool, number: held }
  const own = pool.free.find(entry => entry.key === key)
  if (own !== undefined) return { pool: hold(pool, key, own.number), number: own.number }
  const next = nextNumber(pool, avoid)
  return next === null ? null : { pool: hold(pool, key, next), number: next }
}

/** Gives this very number to the key, whoever it was given back by. The caller knows that nobody holds it. */
export function hold(pool: Pool, key: string, number: number): Pool {
  const free = pool.free.filter(entry => entry.key !== key && entry.number !== number)
  const skipped = range(pool.next, number).map(skip => ({ key: '', number: skip }))
  return {
    ...pool,
    next: Math.max(pool.next, number + 1),
    held: { ...pool.held, [key]: number },
    free: [...free, ...skipped],
  }
}

export function giveBack(pool: Pool, key: string): Pool {
  const number = pool.held[key]
  if (number === undefined) return pool
  const { [key]: _, ...held } = pool.held
  return { ...pool, held, free: [...pool.free, { key, number }] }
}

function nextNumber(pool: Pool, avoid: (number: number) => boolean): number | null {
  for (let number = pool.next; number < pool.size; number++) if (!avoid(number)) return number
  return pool.free.find(entry => !avoid(entry.number))?.number ?? null
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}
