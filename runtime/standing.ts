// How the node stands, for its lease: what does not work here, since when; and the watch over its engine.
import type { Logger } from 'pino'
import type { NodeCondition } from './contract/documents.js'
import type { Docker } from './docker/client.js'
import type { EngineInfo } from './docker/shapes.js'
import { pause } from './nats/bus/connect.js'
import type { Link } from './nats/link.js'
import { sentence } from './reconcile.js'

const engineCheckMs = 10_000
const leastEngineCheckMs = 1_000

/** What the node wants people to know, and what may still be unknown while it starts. */
export interface Standing {
  engine: EngineInfo | null
  engineVersion: string
  engineTrouble: string
  /** When it stopped answering. */
  engineSince: string
  /** By application: documents that are there, but not to be obeyed. */
  readonly refused: Map<string, { readonly message: string; readonly since: string }>
  readonly faults: readonly string[]
}

export function conditionsOf(standing: Standing, trouble: string): readonly NodeCondition[] {
  const { engineTrouble, engineSince } = standing
  const told = [
    ...(engineTrouble === '' ? [] : [{ type: 'EngineUnreachable', message: engineTrouble, since: engineSince }]),
    ...(trouble === '' ? [] : [{ type: 'NotReconciling', message: trouble }]),
    ...[...standing.refused].map(([application, said]) => ({ type: 'DocumentRefused', application, ...said })),
    ...standing.faults.map(message => ({ type: 'Fault', message })),
  ]
  return told.map(condition => ({ ...condition, status: 'True' as const }))
}

/** Said once when it stops answering and once when it answers again; `look` asks at once. */
export function watchEngine(
  docker: Docker,
  standing: Standing,
  link: Link,
  log: Logger,
  signal: AbortSignal,
): { readonly look: () => void; readonly running: Promise<void> } {
  let early = new AbortController()
  const look = () => early.abort()
  signal.addEventListener('abort', look)
  const watch = async () => {
    while (!signal.aborted) {
      early = new AbortController()
      const before = standing.engineTrouble
      standing.engineTrouble = await engineTrouble(docker, standing, signal)
      if (signal.aborted) return
      if ((before === '') !== (standing.engineTrouble === '')) {
        standing.engineSince = standing.engineTrouble === '' ? '' : new Date().toISOString()
        const message = standing.engineTrouble === '' ? 'engine answers again' : 'engine does not answer'
        log.warn({ trouble: standing.engineTrouble }, message)
        link.leaseNow()
      }
      // Not more often than so, however often it is asked for.
      await pause(leastEngineCheckMs, signal)
      await pause(engineCheckMs - leastEngineCheckMs, early.signal)
    }
  }
  return { look, running: watch() }
}

/** '' while it answers; what it is was asked whenever it answers again. */
async function engineTrouble(docker: Docker, standing: Standing, signal: AbortSignal): Promise<string> {
  try {
    await docker.ping(signal)
    if (standing.engineTrouble !== '' || standing.engine === null) {
      const [version, info] = await Promise.all([docker.version(signal), docker.info(signal)])
      Object.assign(standing, { engine: info, engineVersion: version.Version })
    }
    return ''
  } catch (error) {
    return sentence(error)
  }
}
