// Answers the controller's requests for logs: opens what `read` gives and streams it in batches until its end, a stop, or silence.
import type { KeyObject } from 'node:crypto'
import type { NatsConnection, Subscription } from 'nats'
import type { LogBatch, LogLine, LogRequest } from '../contract/logs.js'
import { encodeLogBatch, keepEveryMs, parseLogCommand } from '../contract/logs.js'
import { logRequestSubject, logStreamSubject } from '../contract/subjects.js'
import type { Bus } from './bus/connect.js'

export interface LogServerOptions {
  readonly bus: Bus
  readonly node: string
  /** X25519, the controller's. */
  readonly controller: KeyObject
  /** Lines of a container; throws an Error whose message is for people when there is none. */
  read(request: LogRequest, signal: AbortSignal): AsyncIterable<LogLine>
}

const batchBytes = 64 * 1024

/** Serves until `signal` aborts, over reconnects. */
export function serveLogs(options: LogServerOptions, signal: AbortSignal): void {
  const streams = new Map<string, { readonly end: AbortController; keptAt: number }>()
  const served = new WeakMap<NatsConnection, Subscription>()
  const subscribe = () => {
    if (signal.aborted || !options.bus.status().connected) return
    const connection = options.bus.connection()
    if (served.has(connection)) return
    const callback = (_: unknown, message: { readonly data: Uint8Array }) => obey(connection, message.data)
    served.set(connection, connection.subscribe(logRequestSubject(options.node), { callback }))
  }
  const obey = (connection: NatsConnection, bytes: Uint8Array) => {
    try {
      const command = parseLogCommand(bytes)
      if ('close' in command) return streams.get(command.close)?.end.abort()
      // Its end is told to who reads it, where there is still a way.
      if ('open' in command) return void stream(connection, command.open).catch(() => {})
      const kept = streams.get(command.keep)
      if (kept !== undefined) kept.keptAt = performance.now()
    } catch {
      // Not of a form we know: nobody to answer to, and nothing was touched.
    }
  }
  const stream = async (connection: NatsConnection, request: LogRequest) => {
    const end = new AbortController()
    streams.set(request.stream, { end, keptAt: performance.now() })
    try {
      await sendLogs(connection, options, request, end.signal)
    } finally {
      streams.delete(request.stream)
    }
  }
  const sweep = setInterval(() => {
    for (const { end, keptAt } of streams.values()) if (performance.now() - keptAt > 3 * keepEveryMs) end.abort()
  }, keepEveryMs)
  sweep.unref()
  const stopStatus = options.bus.onStatus(subscribe)
  subscribe()
  signal.addEventListener('abort', () => {
    clearInterval(sweep)
    stopStatus()
    for (const { end } of streams.values()) end.abort()
  })
}

async function sendLogs(
  connection: NatsConnection,
  options: LogServerOptions,
  request: LogRequest,
  signal: AbortSignal,
): Promise<void> {
  const subject = logStreamSubject(options.node, request.stream)
  let [index, size] = [0, 0]
  let lines: LogLine[] = []
  const send = (rest: Pick<LogBatch, 'end' | 'error'>) => {
    if (connection.isClosed()) return
    connection.publish(
      subject,
      encodeLogBatch({ index: index++, lines, ...rest }, options.controller, options.node, request.stream),
    )
    lines = []
    size = 0
  }
  const flush = () => lines.length > 0 && send({ end: false, error: '' })
  const timer = setInterval(flush, 100)
  try {
    for await (const line of options.read(request, signal)) {
      lines.push(line)
      size += line.text.length + 64
      if (size > batchBytes) {
        flush()
        await connection.flush()
      }
    }
    send({ end: true, error: '' })
  } catch (error) {
    send({ end: true, error: signal.aborted ? '' : (error as Error).message })
  } finally {
    clearInterval(timer)
  }
}
