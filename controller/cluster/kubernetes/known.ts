// What a controller remembers of one application on a cluster, beside what lies there.

import type { PreflightAnswer } from '../../../runtime/contract/documents.js'
import type { ObjectRef } from '../../../runtime/contract/manifest.js'
import type { Application } from '../../application.js'
import type { Ledger } from '../../ledger.js'

/** What is remembered of one application from one call to the next; all of it can be found out again. */
export interface Known {
  readonly app: Application
  /** The epoch in which its ledger was read back; 0 = not yet. */
  readEpoch: number
  hasLedger: boolean
  /** As it was written last, in this epoch. */
  written: Ledger | null
  /** Since when what lies there lacks lines of its journal, ms since 1970; 0: it does not. */
  owedAt: number
  preflight: PreflightAnswer | null
  asking: AbortController | null
  /** Objects of releases that are tried: their kinds are watched. */
  coming: readonly ObjectRef[]
  /** This process has told all of it to end, or let it go: one that ended in the middle has not. */
  hasEnded: boolean
  /** What its namespace was labelled with last. */
  labelled: string
}

export function newlyKnown(app: Application): Known {
  return {
    app,
    readEpoch: 0,
    hasLedger: false,
    written: null,
    owedAt: 0,
    preflight: null,
    asking: null,
    coming: [],
    hasEnded: false,
    labelled: '',
  }
}
