// Asks one container again and again, and says when the result changes. Ends with its signal; a new container gets a new one.
import type { ProbeSpec } from '../pods/types.js'
import { type CheckTarget, check } from './check.js'
import { afterAnswer, initialState, nextTry, type ProbeKind, type ProbeState } from './threshold.js'

export interface WorkerOptions {
  readonly kind: ProbeKind
  readonly spec: ProbeSpec
  readonly target: CheckTarget
  /** How long the container has run already, ms: its initial delay counts from its start. */
  readonly runningMs: number
  /** What was known before the runtime was started again; else the initial state. */
  readonly from?: ProbeState
  readonly onResult: (state: ProbeState) => void
}

/** A startup probe's worker ends with its first result, a liveness probe's with its first failure: the container changes then. */
export async function runProbe(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  const { kind, spec } = options
  let state = options.from ?? initialState(kind)
  let tries = 0
  let countedAt = Number.NEGATIVE_INFINITY
  const pause = pausesUntil(signal)
  await pause(spec.initialDelaySeconds * 1000 - options.runningMs)
  while (!signal.aborted) {
    const began = performance.now()
    const answer = await check(spec.handler, options.target, spec.timeoutSeconds * 1000, signal)
    if (signal.aborted) return
    const { eager } = nextTry(spec, kind, state, tries)
    const counts = answer !== null && (answer.ok || !eager || began - countedAt >= spec.periodSeconds * 1000)
    if (counts) {
      countedAt = began
      const before = state.result
      state = afterAnswer(state, answer, spec)
      if (state.result !== before) options.onResult(state)
      if (kind === 'startup' && state.result !== 'unknown') return
      if (kind === 'liveness' && state.result === 'failure') return
    }
    const next = nextTry(spec, kind, state, tries++)
    const spent = performance.now() - began
    await pause(next.eager ? next.afterMs : next.afterMs - spent)
  }
}

/**
 * Waits, and not any more once the signal has aborted. It is heard once for all of them: to listen anew for each pause costs more than
 * the pause, and of all that a node does at rest this is most.
 */
function pausesUntil(signal: AbortSignal): (ms: number) => Promise<void> {
  let end = (): void => {}
  signal.addEventListener('abort', () => end(), { once: true })
  return ms =>
    new Promise(resolve => {
      if (ms <= 0 || signal.aborted) return resolve()
      const timer = setTimeout(resolve, ms)
      end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
}
