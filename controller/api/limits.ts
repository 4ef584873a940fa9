// Token buckets by key, bounded: how often one caller may ask. Time is an argument.

export interface BucketRule {
  readonly perSecond: number
  readonly burst: number
}

interface Bucket {
  tokens: number
  at: number
}

/**
 * At most `maxKeys` keys are remembered. When more come, those that are full again are forgotten first, then all share one
 * bucket: flooding with other names never empties the counter of one that is being held back.
 */
export class Buckets {
  readonly #rule: BucketRule
  readonly #maxKeys: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(rule: BucketRule, maxKeys = 10_000) {
    this.#rule = rule
    this.#maxKeys = maxKeys
  }

  /** Takes one; false and the seconds until there is one again when there was none. */
  take(key: string, now: number): { readonly ok: boolean; readonly remaining: number; readonly retryAfterSeconds: number } {
    const bucket = this.#bucket(key, now)
    this.#refill(bucket, now)
    if (bucket.tokens < 1)
      return { ok: false, remaining: 0, retryAfterSeconds: Math.ceil((1 - bucket.tokens) / this.#rule.perSecond) }
    bucket.tokens -= 1
    return { ok: true, remaining: Math.floor(bucket.tokens), retryAfterSeconds: 0 }
  }

  #bucket(key: string, now: number): Bucket {
    const known = this.#buckets.get(key)
    if (known !== undefined) return known
    if (this.#buckets.size >= this.#maxKeys) this.#forgetFull(now)
    if (this.#buckets.size >= this.#maxKeys && key !== '') return this.#bucket('', now)
    const made = { tokens: this.#rule.burst, at: now }
    this.#buckets.set(key, made)
    return made
  }

  #refill(bucket: Bucket, now: number): void {
    bucket.tokens = Math.min(this.#rule.burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * this.#rule.perSecond)
    bucket.at = now
  }

  #forgetFull(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      this.#refill(bucket, now)
      if (bucket.tokens >= this.#rule.burst && key !== '') this.#buckets.delete(key)
    }
  }
}
