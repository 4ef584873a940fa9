// Asks a node for a pod's logs and gives its lines out as they come.
import { randomUUID } from 'node:crypto'
import type { ControllerKeys } from '../../../runtime/contract/keys.js'
import type { LogLine } from '../../../runtime/contract/logs.js'
import { keepEveryMs, parseLogBatch } from '../../../runtime/contract/logs.js'
import { logRequestSubject, logStreamSubject } from '../../../runtime/contract/subjects.js'
import type { Bus } from '../../../runtime/nats/bus/connect.js'

export interface LogWish {
  readonly bus: Bus
  readonly keys: ControllerKeys
  readonly node: string
  readonly application: string
  readonly pod: string
  readonly container: string
  readonly tail: number
  readonly follow: boolean
  readonly previous: boolean
}

const firstAnswerMs = 10_000

/** Ends with the container's log, or when `signal` aborts. Throws what the node says, or that it does not answer. */
export async function* followLogs(wish: LogWish, signal: AbortSignal): AsyncIterable<LogLine> {
  const { bus, keys, node, application, pod, container, tail, follow, previous } = wish
  const stream = randomUUID()
  const connection = bus.connection()
  const command = (value: unknown) => connection.publish(logRequestSubject(node), JSON.stringify(value))
  const answers = connection.subscribe(logStreamSubject(node, stream))
  const stop = () => answers.unsubscribe()
  const state = { answered: false }
  const keep = setInterval(() => command({ keep: stream }), keepEveryMs)
  const slow = setTimeout(() => !state.answered && !follow && stop(), firstAnswerMs)
  signal.addEventListener('abort', stop)
  try {
    command({ open: { stream, application, pod, container, tail, follow, previous } })
    for await (const message of answers) {
      state.answered = true
      const batch = parseLogBatch(message.data, keys.sealing.privateKey, node, stream)
      yield* batch.lines
      if (batch.error !== '') throw new Error(`logs of ${pod}/${container} on node ${node}: ${batch.error}`)
      if (batch.end) return
    }
    if (!signal.aborted && !state.answered) throw new Error(`logs of ${pod}/${container}: node ${node} does not answer`)
  } finally {
    clearInterval(keep)
    clearTimeout(slow)
    signal.removeEventListener('abort', stop)
    stop()
    if (!connection.isClosed()) command({ close: stream })
  }
}
