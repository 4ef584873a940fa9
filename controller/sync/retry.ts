// How often, and when, a sync that failed is tried again by itself (Argo CD's `syncPolicy.retry`:
// pkg/apis/application/v1alpha1/types.go, RetryStrategy.NextRetryAt).
import type { Fields } from '../fields.js'

export interface RetryPolicy {
  /** Negative: for ever; 0: never. */
  readonly limit: number
  readonly durationMs: number
  readonly factor: number
  readonly maxDurationMs: number
}

export const retryDefaults = { durationMs: 5_000, factor: 2, maxDurationMs: 180_000 } as const

/** null where nothing is written. */
export function readRetry(policy: Fields): RetryPolicy | null {
  if (!policy.has('retry')) return null
  const retry = policy.inner('retry', ['limit', 'backoff', 'refresh'])
  const backoff = retry.inner('backoff', ['duration', 'factor', 'maxDuration'])
  return {
    limit: retry.whole('limit', 0, -1, 1000),
    durationMs: backoff.duration('duration', retryDefaults.durationMs),
    factor: backoff.whole('factor', retryDefaults.factor, 1, 100),
    maxDurationMs: backoff.duration('maxDuration', retryDefaults.maxDurationMs),
  }
}

/** ms until the next try after `retries` of them; null where there is none any more. */
export function retryAfter({ limit, durationMs, factor, maxDurationMs }: RetryPolicy, retries: number): number | null {
  if (limit >= 0 && retries >= limit) return null
  const wait = durationMs * factor ** retries
  return maxDurationMs > 0 ? Math.min(wait, maxDurationMs) : wait
}
