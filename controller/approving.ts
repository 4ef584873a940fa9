// A person's word that what is not taken away without one may go: what it says, and the ledger that has it.
import { RefusedError } from './api/service.js'
import type { Entry } from './applications.js'
import { type Ledger, withApproval } from './ledger.js'
import { namedText } from './sync/consent.js'

/** `message`: one clause, without a full stop. Throws RefusedError where nothing waits for it. */
export function approvalOf(
  { app, pass }: Pick<Entry, 'app' | 'pass'>,
  approval: NonNullable<Ledger['approval']>,
): { readonly message: string; readonly change: (ledger: Ledger) => Ledger } {
  const asks = pass?.decision.asks ?? null
  if (asks === null)
    throw new RefusedError(
      409,
      'nothingAsked',
      `Nothing of ${app.name} waits for a word. What does says so: slipway status ${app.name}`,
    )
  const act = asks.act === 'prune' ? 'pruning' : 'deletion'
  return { message: `${act} of ${namedText(asks.objects)} approved`, change: ledger => withApproval(ledger, approval) }
}
