// What a person asks of a deletion that is on its way already: another word about what becomes of what runs, or its hooks once more.
import { RefusedError } from './api/service.js'
import type { Observed } from './cluster/cluster.js'
import { type Deletion, type Ledger, withDeletion } from './ledger.js'
import { deletionNumber } from './sync/deletion.js'
import { hearsOrders } from './sync.js'
import { prose } from './words.js'

/**
 * The first word counts, but for one: what was to be ended may be let go instead, as long as its place has not heard that it is to end it,
 * or is not there (then what it heard is not known).
 */
export function deletionAsked(ledger: Ledger, asked: Deletion, place: Observed | null): Ledger {
  const { deletion } = ledger
  const { name } = ledger.application
  if (deletion === null) return withDeletion(ledger, asked)
  if (deletion.cascade === asked.cascade) return askedAgain(ledger, deletion, asked)
  if (!deletion.cascade)
    throw new RefusedError(
      409,
      'lettingGo',
      `${name} is being deleted and what it runs let go; apply it again to delete it with that.`,
    )
  if (deletion.told && (place === null || hearsOrders(place)))
    throw new RefusedError(
      409,
      'ending',
      prose(
        `what ${name} runs is being ended, and that cannot be taken back: ${ledger.place} was told`,
        place?.silent?.message ?? '',
        `apply it again once \`slipway apps\` does not show it any more`,
      ),
    )
  return withDeletion(ledger, asked)
}

/** Its hooks that failed, or take too long, run once more, or are left out from now on. */
function askedAgain(ledger: Ledger, deletion: Deletion, { skipHooks }: Deletion): Ledger {
  if (!deletion.cascade || deletion.told === true || deletion.skipHooks === true) return ledger
  if (skipHooks === true) return withDeletion(ledger, { ...deletion, skipHooks })
  const number = deletionNumber(ledger)
  const isOpen = ledger.current?.hookRuns.some(run => run.attempt === number && run.outcome !== 'succeeded')
  return isOpen ? withDeletion(ledger, { ...deletion, round: (deletion.round ?? 0) + 1 }) : ledger
}
