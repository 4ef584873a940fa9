// How candidates come about, for /metrics: a controller that renders what did not change shows it here.
import { Counter, Registry } from 'prom-client'
import type { Candidates } from './candidate.js'

export function renderMetrics(counts: Candidates['counts']): Registry {
  const registry = new Registry()
  new Counter({
    name: 'slipway_candidates_total',
    help: 'Candidates by how they came about: kept (same tree), same (another tree, nothing of it that is read), rendered.',
    labelNames: ['cause'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [cause, count] of Object.entries(counts)) this.inc({ cause }, count)
    },
  })
  return registry
}
