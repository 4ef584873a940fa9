// What is not taken away before a person has said so: of a release that is over, what it would prune; of a deletion, what it would end.
import type { Ledger } from '../ledger.js'
import type { Release } from '../release.js'
import { type Asks, attemptBegan, isApproved } from '../sync/consent.js'
import { askingToGo } from '../sync/deletion.js'
import { askingIn, type SurplusInput } from '../sync/surplus.js'
import { modeOf } from '../sync.js'
import type { DecideInput } from './state.js'

/** What a look for the surplus of current needs beside the plan. */
export function surplusIn(
  { app, releases }: DecideInput,
  ledger: Ledger,
  release: Release,
): Omit<SurplusInput, 'prune' | 'stages'> {
  const approved = isApproved(app, ledger, attemptBegan(ledger))
  return { ledger, release, mode: modeOf(ledger), options: app.sync.options, approved, releases }
}

/** null where nothing waits for a word. */
export function asksIn(input: DecideInput, ledger: Ledger): Asks | null {
  const { deletion, current } = ledger
  if (deletion !== null) {
    if (!deletion.cascade || current === null) return null
    const objects = askingToGo({ ...input, ledger }, current)
    return objects.length === 0 ? null : { act: 'delete', objects, since: deletion.at }
  }
  const { asking, approved } = pruneAsks(input, ledger)
  return asking.length === 0 || approved ? null : { act: 'prune', objects: asking, since: attemptBegan(ledger) }
}

/** A word that came after the release was over: what it was for is pruned then. */
export function approvedLate(input: DecideInput, ledger: Ledger): Asks['objects'] {
  const { asking, approved } = pruneAsks(input, ledger)
  return approved ? asking : []
}

/** Only a release that is well may prune. */
function pruneAsks(input: DecideInput, ledger: Ledger): { readonly asking: Asks['objects']; readonly approved: boolean } {
  const { attempt, current } = ledger
  const release = current === null ? null : input.releases(current.release)
  const isWell = attempt?.outcome === 'Healthy' || attempt?.outcome === 'RolledBack'
  if (release === null || attempt === null || !isWell || input.app.mode === 'observe') return { asking: [], approved: false }
  const facts = surplusIn(input, ledger, release)
  const asking = askingIn({ ...facts, prune: attempt.prune ?? input.app.sync.prune, stages: [] })
  return { asking, approved: facts.approved }
}
