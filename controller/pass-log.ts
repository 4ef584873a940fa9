// What a pass did, as one line of the log.
import type { Logger } from 'pino'
import type { Pass } from './reconcile.js'

/** One line a pass that did something; nothing where nothing changed. */
export function logPass(log: Logger, { app, step, decision, ledger }: Pass): void {
  const facts = {
    application: app.name,
    row: `${decision.row.judged ?? '-'}/${decision.row.chosen}`,
    attempt: ledger.attempt?.number,
    release: ledger.current?.release,
  }
  for (const attempt of decision.ended)
    log.info({ ...facts, attempt: attempt.number, outcome: attempt.outcome, message: attempt.message }, 'attempt ended')
  if (step.kind !== 'none' && step.kind !== 'remember') log.info({ ...facts, step: step.kind }, 'step')
}
