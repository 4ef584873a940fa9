// Streams of events and audit lines: published for everyone who may subscribe, the newest kept in memory for the API.

import type { NatsConnection } from 'nats'
import { consumerOpts } from 'nats'
import { written } from '../../runtime/failpoint.js'
import type { Bus } from '../../runtime/nats/bus/connect.js'
import { withBus } from '../../runtime/nats/bus/values.js'

export interface Journal<Line> {
  /** Reads the newest lines back. */
  load(): Promise<void>
  /** Resolves once the stream has it. Its id makes a repeated write within two minutes count once: false then. Throws BusDownError. */
  append(line: Line, subject: string): Promise<boolean>
  /** Among the lines that are kept in memory. */
  has(id: string): boolean
  /** Newest first. */
  newest(limit: number, wanted?: (line: Line) => boolean): readonly Line[]
  onLine(listener: (line: Line) => void): () => void
  /** For a restored backup: into memory, and into the stream. */
  all(): readonly Line[]
}

export function openJournal<Line extends { readonly id: string }>(
  bus: Bus,
  stream: string,
  capacity: number,
  parse: (value: unknown) => Line | null,
): Journal<Line> {
  const lines: Line[] = []
  const ids = new Set<string>()
  const listeners = new Set<(line: Line) => void>()
  const keep = (line: Line) => {
    lines.push(line)
    ids.add(line.id)
    for (const old of lines.splice(0, Math.max(0, lines.length - capacity))) ids.delete(old.id)
  }
  return {
    load: async () => {
      const read = await withBus(bus, stream, connection => readNewest(connection, stream, capacity))
      lines.length = 0
      ids.clear()
      for (const bytes of read) {
        const line = parse(parseJson(bytes))
        if (line !== null) keep(line)
      }
    },
    append: async (line, subject) => {
      const publish = (connection: NatsConnection) =>
        connection.jetstream({ timeout: 5_000 }).publish(subject, JSON.stringify(line), { msgID: line.id })
      const { duplicate } = await written(`controller.${stream}.told`, () => withBus(bus, subject, publish))
      if (duplicate) return false
      keep(line)
      for (const listener of listeners) listener(line)
      return true
    },
    has: id => ids.has(id),
    newest: (limit, wanted = () => true) => {
      const found: Line[] = []
      for (let at = lines.length - 1; at >= 0 && found.length < limit; at--) if (wanted(lines[at]!)) found.push(lines[at]!)
      return found
    },
    onLine: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    all: () => lines,
  }
}

async function readNewest(connection: NatsConnection, stream: string, count: number): Promise<readonly Uint8Array[]> {
  const manager = await connection.jetstreamManager({ timeout: 5_000 })
  const { state } = await manager.streams.info(stream)
  if (state.messages === 0) return []
  const options = consumerOpts()
    .bindStream(stream)
    .orderedConsumer()
    .startSequence(Math.max(state.first_seq, state.last_seq - count + 1))
  const messages = await connection.jetstream().subscribe('>', options)
  const slow = setTimeout(() => messages.unsubscribe(), 15_000)
  const read: Uint8Array[] = []
  for await (const message of messages) {
    read.push(message.data)
    if (message.seq >= state.last_seq) break
  }
  clearTimeout(slow)
  messages.unsubscribe()
  return read
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return null
  }
}
