// What is left of a run that ended: exit code, reason, its own last words and its last log lines, secrets masked.
import { readFile } from 'node:fs/promises'
import type { Docker } from '../docker/client.js'
import type { ContainerInspected } from '../docker/shapes.js'
import type { Ended } from './life.js'
import { maskOf } from './mask.js'
import type { ContainerSpec, PodRecord } from './types.js'

const keptLines = 20
const longestLine = 2000
/** Kubernetes' limits of a termination message. */
const messageBytes = 4096
const fallbackBytes = 2048

export interface EndOfRun {
  readonly end: Ended
  readonly lastLog: readonly string[]
  readonly oom: boolean
}

export interface EndQuestion {
  readonly record: PodRecord
  readonly spec: ContainerSpec
  readonly found: ContainerInspected
  /** The engine told of the kernel ending something in it for want of memory. */
  readonly oomSeen: boolean
  readonly messageFile: string
}

/** Throws EngineError (unreachable). A log that cannot be read is no log. */
export async function readEnd(docker: Docker, question: EndQuestion, signal: AbortSignal): Promise<EndOfRun> {
  const { record, spec, found } = question
  const mask = maskOf(record)
  const [lastLog, written] = await Promise.all([readLastLog(docker, found, mask, signal), readMessage(question.messageFile)])
  const exitCode = found.State.ExitCode
  const oom = (found.State.OOMKilled || question.oomSeen) && exitCode !== 0
  const fallback = written === '' && spec.terminationMessagePolicy === 'FallbackToLogsOnError' && exitCode !== 0
  const neverRan = found.State.StartedAt.startsWith('0001-')
  const said = neverRan ? found.State.Error : fallback ? lastLog.join('\n').slice(-fallbackBytes) : written
  const finishedAt = timeOf(found.State.FinishedAt) || Date.now()
  const end: Ended = {
    exitCode,
    ...(exitCode > 128 && exitCode < 160 ? { signal: exitCode - 128 } : {}),
    reason: neverRan ? 'ContainerCannotRun' : oom ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error',
    message: mask(said),
    startedAt: timeOf(found.State.StartedAt) || finishedAt,
    finishedAt,
  }
  return { end, lastLog, oom }
}

/** Of a container that somebody removed: nothing can be asked any more (the kubelet's ContainerStatusUnknown). */
export function lostEnd(startedAt: number, now: number): Ended {
  return {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'the container is gone from the engine: somebody removed it',
    startedAt,
    finishedAt: now,
  }
}

async function readLastLog(
  docker: Docker,
  found: ContainerInspected,
  mask: (text: string) => string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const lines: { at: string; text: string }[] = []
  try {
    for await (const { at, text } of docker.containers.logs(found.Id, { tail: keptLines, tty: found.Config.Tty }, signal)) {
      lines.push({ at, text: mask(text).slice(0, longestLine) })
    }
  } catch (error) {
    if (signal.aborted) throw error
  }
  // stdout and stderr come interleaved as written, but in pieces: their times put them right.
  return lines
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    .slice(-keptLines)
    .map(line => line.text)
}

async function readMessage(path: string): Promise<string> {
  const content = await readFile(path).catch(() => Buffer.alloc(0))
  return content.subarray(0, messageBytes).toString('utf8')
}

export function timeOf(text: string): number {
  return text.startsWith('0001-') || text === '' ? 0 : Date.parse(text)
}
