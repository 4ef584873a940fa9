// When single answers of a probe become its result: the kubelet's worker, as a pure function (pkg/kubelet/prober/worker.go).
import type { ProbeSpec } from '../pods/types.js'

export type ProbeKind = 'startup' | 'liveness' | 'readiness'
export type ProbeResult = 'unknown' | 'success' | 'failure'

export interface ProbeState {
  readonly result: ProbeResult
  /** The newest answers that are alike: how many, and which. */
  readonly run: number
  readonly last: 'success' | 'failure' | null
  /** Of the newest failure: for people. */
  readonly message: string
}

/** A container starts out not ready, alive, and with its start unknown. */
export function initialState(kind: ProbeKind): ProbeState {
  const result = kind === 'readiness' ? 'failure' : kind === 'liveness' ? 'success' : 'unknown'
  return { result, run: 0, last: null, message: '' }
}

export interface ProbeAnswer {
  readonly ok: boolean
  readonly message: string
}

/** Answers below their threshold leave the result as it was. */
export function afterAnswer(state: ProbeState, answer: ProbeAnswer, spec: ProbeSpec): ProbeState {
  const last = answer.ok ? 'success' : 'failure'
  const run = state.last === last ? state.run + 1 : 1
  const reached = run >= (answer.ok ? spec.successThreshold : spec.failureThreshold)
  return { result: reached ? last : state.result, run, last, message: answer.ok ? '' : answer.message }
}

/** Milliseconds between tries while a new container is expected to become ready; the last one repeats. */
const eagerMs = [10, 20, 40, 100]
/** A command costs the machine more than a connection. */
const eagerExecMs = [100, 200, 500, 1000]

/**
 * Until its first success a readiness or startup probe is tried at once and then every 100 ms; failures in between the
 * probe's own period do not count, so that thresholds mean what the user wrote.
 */
export function nextTry(
  spec: ProbeSpec,
  kind: ProbeKind,
  state: ProbeState,
  tries: number,
): { readonly afterMs: number; readonly eager: boolean } {
  const periodMs = spec.periodSeconds * 1000
  const waiting =
    kind === 'readiness' ? state.result === 'failure' && state.last !== 'success' : kind === 'startup' && state.last !== 'success'
  if (!waiting) return { afterMs: periodMs, eager: false }
  const ladder = spec.handler.kind === 'exec' ? eagerExecMs : eagerMs
  return { afterMs: Math.min(ladder[Math.min(tries, ladder.length - 1)]!, periodMs), eager: true }
}
