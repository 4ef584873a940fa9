// Asks a container once: http, tcp, grpc or a command. What was found out is returned, also that nothing answered.
import { createConnection } from 'node:net'
import type { HandlerSpec } from '../pods/types.js'
import { checkGrpc } from './grpc.js'
import { checkHttp, type ProbedPod } from './http.js'
import type { ProbeAnswer } from './threshold.js'

/** Runs a command in the container that is asked; rejects when it could not be run, and with the signal's reason. */
export type RunInContainer = (
  command: readonly string[],
  signal: AbortSignal,
) => Promise<{ readonly exitCode: number; readonly output: string }>

export interface CheckTarget extends ProbedPod {
  readonly run: RunInContainer
}

/** Null: it could not be carried out at all (the engine is away), which says nothing about the container. */
export function check(
  handler: HandlerSpec,
  target: CheckTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeAnswer | null> {
  if (handler.kind === 'httpGet') return checkHttp(handler, target, timeoutMs, signal)
  return withLimit(timeoutMs, signal, async limited => {
    switch (handler.kind) {
      case 'tcpSocket':
        return checkTcp(handler.host ?? target.ip, handler.port, timeoutMs, limited)
      case 'grpc':
        return checkGrpc(target.ip, handler.port, handler.service, timeoutMs, limited)
      case 'exec':
        return checkCommand(handler.command, target.run, timeoutMs, limited, signal)
      case 'sleep':
        return { ok: true, message: '' }
    }
  })
}

/** Leaves nothing behind on a signal that lives as long as a pod does, which AbortSignal.any would on older Node. */
export async function withLimit<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const limited = new AbortController()
  const abort = (): void => limited.abort(signal.reason)
  const timer = setTimeout(() => limited.abort(new Error(`not done within ${timeoutMs} ms`)), timeoutMs)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await work(limited.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

export function checkTcp(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  return new Promise(resolve => {
    const socket = createConnection({ host, port })
    const done = (ok: boolean, message: string): void => {
      signal.removeEventListener('abort', timeOut)
      socket.destroy()
      resolve({ ok, message })
    }
    const timeOut = (): void => done(false, `tcp ${host}:${port}: no connection within ${timeoutMs} ms`)
    if (signal.aborted) timeOut()
    signal.addEventListener('abort', timeOut, { once: true })
    socket.once('connect', () => done(true, ''))
    socket.once('error', error => done(false, `tcp ${host}:${port}: ${error.message}`))
  })
}

async function checkCommand(
  command: readonly string[],
  run: RunInContainer,
  timeoutMs: number,
  limited: AbortSignal,
  outer: AbortSignal,
): Promise<ProbeAnswer | null> {
  try {
    const { exitCode, output } = await run(command, limited)
    return {
      ok: exitCode === 0,
      message: exitCode === 0 ? '' : `command ${command[0] ?? ''} ended with ${exitCode}: ${output.trim().slice(0, 1024)}`,
    }
  } catch {
    if (!limited.aborted || outer.aborted) return null
    return { ok: false, message: `command ${command[0] ?? ''}: not done within ${timeoutMs} ms` }
  }
}
