// Writes what a node has to say, as levels: the newest of each key is what ends up in NATS, after a wiped store as well.
import type { KeyObject } from 'node:crypto'
import type { NatsConnection } from 'nats'
import type { DesiredDocument, ReportDocument } from '../contract/documents.js'
import { encodeReport, encodeReturned } from '../contract/frame.js'
import { buckets, documentKey } from '../contract/subjects.js'
import { written } from '../failpoint.js'
import type { Bus } from './bus/connect.js'
import { pause } from './bus/connect.js'
import { bindBucket, bucketCreated, writeValue } from './bus/values.js'

export interface ReporterOptions {
  readonly bus: Bus
  readonly node: string
  /** X25519, the controller's: reports are sealed to it. */
  readonly controller: KeyObject
  /** How often the bucket is looked at, to find it wiped. Default 10 s. */
  readonly checkMs?: number
}

export interface Reporter {
  /** Call it when something changed; what was not written yet is replaced. */
  report(document: ReportDocument): void
  /** The document that is obeyed, where the controller's store lost it. */
  giveBack(document: DesiredDocument): void
  /** Nothing of this application is written any more. */
  forget(application: string): void
  /** Creation time of the bucket in which all of it lies; '' while something is still to be written. */
  settled(): string
  /** Runs until the signal aborts. */
  readonly running: Promise<void>
}

/** The newest that is to lie at a key. */
interface Level {
  readonly encode: () => Uint8Array
  readonly kind: string
  readonly application: string
  /** Lies in the bucket of now. */
  written: boolean
}

const firstRetryMs = 100
const lastRetryMs = 5_000

/** `changed` is called when `settled()` has another answer. `failed` is called for the first failure in a row. */
export function startReporter(
  options: ReporterOptions,
  on: { changed(): void; failed(error: Error): void },
  signal: AbortSignal,
): Reporter {
  const wanted = new Map<string, Level>()
  const checkMs = options.checkMs ?? 10_000
  let bucket = ''
  let lookAgainAt = 0
  let writings = 0
  let wake = new AbortController()
  const rouse = () => wake.abort()
  signal.addEventListener('abort', rouse)
  const stopStatus = options.bus.onStatus(() => {
    lookAgainAt = 0
    rouse()
  })

  /** Said at each listing; written once. */
  const returned = new Map<string, DesiredDocument>()

  const set = (kind: 'report' | 'returned', application: string, encode: () => Uint8Array) => {
    wanted.set(documentKey(options.node, application, kind), { encode, kind, application, written: false })
    rouse()
  }
  /** A report does not wait for the look at the bucket, unless that is due. */
  const lookAtBucket = async (connection: NatsConnection) => {
    if (bucket !== '' && performance.now() < lookAgainAt) return
    const created = await bucketCreated(connection, buckets.reports)
    if (created !== bucket) for (const level of wanted.values()) level.written = false
    bucket = created
    lookAgainAt = performance.now() + checkMs
  }
  const writeAll = async () => {
    const connection = options.bus.connection()
    await lookAtBucket(connection)
    const kv = await bindBucket(connection, buckets.reports)
    const write = async ([key, level]: readonly [string, Level]) => {
      await written(`runtime.${level.kind}.written`, () =>
        writeValue(kv, key, level.encode(), { revision: null, set: writings++ % 2 === 0 ? 'a' : 'b' }),
      )
      level.written = true
    }
    await Promise.all([...wanted].filter(([, level]) => !level.written).map(write))
  }
  const settled = () => ([...wanted.values()].every(level => level.written) ? bucket : '')
  const run = async () => {
    let failures = 0
    let told = ''
    while (!signal.aborted) {
      wake = new AbortController()
      try {
        await writeAll()
        failures = 0
      } catch (error) {
        bucket = ''
        if (failures++ === 0) on.failed(error as Error)
      }
      if (settled() !== told) on.changed()
      told = settled()
      const retryMs = Math.min(lastRetryMs, firstRetryMs * 2 ** failures) * (0.5 + Math.random())
      await pause(failures === 0 ? checkMs : retryMs, wake.signal)
    }
    stopStatus()
  }
  return {
    report: document => set('report', document.application.name, () => encodeReport(document, options.controller)),
    giveBack: document => {
      const { name } = document.application
      if (returned.get(name) === document) return
      returned.set(name, document)
      set('returned', name, () => encodeReturned(document, options.controller))
    },
    forget: application => {
      returned.delete(application)
      for (const [key, entry] of wanted) if (entry.application === application) wanted.delete(key)
    },
    settled,
    running: run(),
  }
}
