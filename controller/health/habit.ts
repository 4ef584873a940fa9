// How long a workload may take to be ready when its own last releases took far less: 5 x the slowest, never below what its probes allow.
import { type Manifest, refKey, refOf } from '../../runtime/contract/manifest.js'
import { intAt, listAt, mapAt, type Status } from './status.js'

/** Fewer releases than this are no habit. */
export const habitAfter = 3
const factor = 5
const atLeastMs = 30_000

/** ms from its apply; null where there is no habit to go by. */
export function readyLimit(object: Manifest, readyTimes: Readonly<Record<string, readonly number[]>>): number | null {
  const times = readyTimes[refKey(refOf(object))] ?? []
  if (times.length < habitAfter) return null
  return Math.max(factor * Math.max(...times), atLeastMs, probesAllow(object))
}

/** Startup budget, initial delays and minReadySeconds of its slowest container, ms. */
export function probesAllow(object: Manifest): number {
  const spec = mapAt(object, 'spec')
  const podSpec = object.kind === 'Pod' ? spec : mapAt(mapAt(spec, 'template'), 'spec')
  const budgets = [...listAt(podSpec, 'containers'), ...listAt(podSpec, 'initContainers')].map(containerBudget)
  return (Math.max(0, ...budgets) + intAt(spec, 'minReadySeconds')) * 1000
}

function containerBudget(container: Status): number {
  const startup = mapAt(container, 'startupProbe')
  const readiness = mapAt(container, 'readinessProbe')
  const hasStartup = 'startupProbe' in container
  const startupSeconds = hasStartup
    ? intAt(startup, 'initialDelaySeconds') + (intAt(startup, 'periodSeconds') || 10) * (intAt(startup, 'failureThreshold') || 3)
    : 0
  const needed = Math.max(0, (intAt(readiness, 'successThreshold') || 1) - 1) * (intAt(readiness, 'periodSeconds') || 10)
  return startupSeconds + intAt(readiness, 'initialDelaySeconds') + needed
}
