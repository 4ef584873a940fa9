// Each application's own place, node or cluster, behind one `Cluster`.
import type { Application } from '../application.js'
import type { Cluster } from './cluster.js'

export function byPlace(nodes: Cluster, clusters: { cluster(name: string): Cluster }): Cluster {
  const placeOf = ({ destination }: Application) => (destination.kind === 'cluster' ? clusters.cluster(destination.name) : nodes)
  return {
    observe: (app, signal, against) => placeOf(app).observe(app, signal, against),
    preflight: (app, release, round, order, signal) => placeOf(app).preflight(app, release, round, order, signal),
    apply: (app, objects, order, signal) => placeOf(app).apply(app, objects, order, signal),
    prune: (app, refs, order, signal) => placeOf(app).prune(app, refs, order, signal),
    remember: (app, order, signal) => placeOf(app).remember(app, order, signal),
    remove: (app, order, signal) => placeOf(app).remove(app, order, signal),
    letGo: (app, order, signal) => placeOf(app).letGo(app, order, signal),
    forget: (app, signal) => placeOf(app).forget(app, signal),
    logs: (app, pod, container, wish, signal) => placeOf(app).logs(app, pod, container, wish, signal),
    onChange: listener => nodes.onChange(listener),
  }
}
