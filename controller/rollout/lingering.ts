// What was pruned and does not go because somebody else's finalizer keeps it: said, never stripped, and waited for as long as a release
// may take at all. Pure.
import { type ObjectRef, refKey, refText } from '../../runtime/contract/manifest.js'
import type { Observed } from '../cluster/cluster.js'
import type { Ledger } from '../ledger.js'

export interface Lingering {
  readonly ref: ObjectRef
  readonly finalizers: readonly string[]
}

/** Kubernetes' own, which its garbage collector takes away: what is owned by the object goes first. */
const passing = new Set(['foregroundDeletion', 'orphan'])

export function lingering(ledger: Ledger, observed: Pick<Observed, 'objects'>): readonly Lingering[] {
  const pruning = new Set((ledger.current?.pruning ?? []).map(refKey))
  return observed.objects.flatMap(({ ref, live }) => {
    const finalizers = live?.metadata.finalizers
    if (!pruning.has(refKey(ref)) || live?.metadata.deletionTimestamp === undefined || !Array.isArray(finalizers)) return []
    const kept = (finalizers as readonly string[]).filter(name => !passing.has(name))
    return kept.length === 0 ? [] : [{ ref, finalizers: kept }]
  })
}

/** `waiting for ConfigMap shop/held to go: finalizer example.com/hold keeps it; whoever set it must take it away`; '' for none. */
export function lingeringText(left: readonly Lingering[]): string {
  const [first, ...others] = left
  if (first === undefined) return ''
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  const [name, ...further] = first.finalizers
  const also = further.length === 0 ? '' : ` (and ${further.join(', ')})`
  return `waiting for ${refText(first.ref)}${more} to go: finalizer ${name}${also} keeps it; whoever set it must take it away`
}
