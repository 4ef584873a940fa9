// How a pod's logs are asked for and streamed: request and stop on the node's subject, batches sealed to the controller.
import type { KeyObject } from 'node:crypto'
import { compress, decompress, FrameError } from './frame.js'
import { openSealed, sealTo } from './seal.js'

export interface LogRequest {
  /** A random token: the stream that is answered on. */
  readonly stream: string
  readonly application: string
  readonly pod: string
  readonly container: string
  readonly tail: number
  readonly follow: boolean
  readonly previous: boolean
}

export interface LogLine {
  /** RFC 3339. */
  readonly at: string
  readonly stream: string
  readonly text: string
}

export interface LogBatch {
  /** Counts from 0: a gap means that lines were lost. */
  readonly index: number
  readonly lines: readonly LogLine[]
  /** The last batch; `error` says why when it is not simply the end. */
  readonly end: boolean
  readonly error: string
}

/** A follower says so as long as it listens; a node ends a stream that nobody has wanted for three times this. */
export const keepEveryMs = 10_000

export type LogCommand = { readonly open: LogRequest } | { readonly keep: string } | { readonly close: string }

/** Throws FrameError. */
export function parseLogCommand(bytes: Uint8Array): LogCommand {
  const value = parse(bytes)
  if (typeof value.keep === 'string') return { keep: value.keep }
  if (typeof value.close === 'string') return { close: value.close }
  const open = (value.open ?? {}) as Readonly<Record<string, unknown>>
  const texts = ['stream', 'application', 'pod', 'container'].every(field => typeof open[field] === 'string')
  if (!texts || !/^[\w-]+$/.test(String(open.stream)) || typeof open.tail !== 'number')
    throw new FrameError('log request: not of the form we know')
  return { open: { ...(open as unknown as LogRequest), follow: open.follow === true, previous: open.previous === true } }
}

export function encodeLogBatch(batch: LogBatch, controller: KeyObject, node: string, stream: string): Uint8Array {
  return sealTo(controller, compress(batch), `logs ${node}/${stream}`)
}

/** Throws FrameError or SealError. */
export function parseLogBatch(bytes: Uint8Array, own: KeyObject, node: string, stream: string): LogBatch {
  const value = decompress(openSealed(own, bytes, `logs ${node}/${stream}`), 'log batch') as LogBatch
  if (!Array.isArray(value.lines) || typeof value.index !== 'number') throw new FrameError('log batch: not of the form we know')
  return { index: value.index, lines: value.lines, end: value.end === true, error: String(value.error ?? '') }
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(Buffer.from(bytes).toString('utf8')) as Readonly<Record<string, unknown>> | null) ?? {}
  } catch (cause) {
    throw new FrameError('log request: not JSON', { cause })
  }
}
