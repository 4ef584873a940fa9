// A rollback written to Git where the user allows it (release.md, "Writing a rollback to Git"): when, what for, and told once.
import type { Application } from './application.js'
import type { RevertOrder, RevertResult } from './git/revert.js'
import type { Pass } from './reconcile.js'
import type { Release } from './release.js'
import type { EventView } from './view.js'
import { shortCommit } from './words.js'

export interface WriteBackOptions {
  readonly write: (order: RevertOrder, signal: AbortSignal) => Promise<RevertResult>
  readonly author: { readonly name: string; readonly email: string }
  readonly now: () => number
  /** Another application uses the same path of the same repository. */
  readonly sharesPath: (app: Application) => boolean
  readonly tell: (event: EventView) => Promise<void>
  /** The branch has a new tip. */
  readonly written: (url: string, ref: string) => void
}

/** What is due after a pass; null: nothing. Pure. */
export function revertDue(
  { app, candidate, ledger }: Pick<Pass, 'app' | 'candidate' | 'ledger'>,
  releases: (id: string) => Release | null,
): Omit<RevertOrder, 'author' | 'now'> | null {
  const { attempt, current } = ledger
  if (app.mode === 'observe') return null
  if (app.rollout.writeBack !== 'revertCommit' || attempt?.outcome !== 'RolledBack' || attempt.verdict?.kind !== 'bad')
    return null
  if (candidate?.kind !== 'release' || candidate.release.id !== attempt.release || current === null) return null
  const good = releases(current.release)
  const known = ledger.releases[current.release]
  if (good === null || known === undefined || good.tree === candidate.release.tree) return null
  return {
    repoURL: app.source.repoURL,
    targetRevision: app.source.targetRevision,
    path: app.source.path,
    application: app.name,
    bad: { commit: candidate.revision.commit, subject: candidate.revision.subject, tree: candidate.release.tree },
    good: { commit: known.revision.commit, tree: good.tree },
    reason: attempt.verdict.message,
  }
}

/** Runs beside the passes; what is due is asked of each pass anew, so that a crash in between loses nothing. */
export function createWriteBack(
  options: WriteBackOptions & { readonly releases?: (app: Application, id: string) => Release | null },
) {
  const begun = new Set<string>()
  return (pass: Pass, signal: AbortSignal): void => {
    const { app, ledger } = pass
    const key = `${app.uid}.${ledger.attempt?.number}`
    if (begun.has(key)) return
    const due = revertDue(pass, id => options.releases?.(app, id) ?? null)
    if (due === null) return
    begun.add(key)
    void run(due, key, app, ledger.attempt?.number ?? 0, signal)
  }

  async function run(
    due: Omit<RevertOrder, 'author' | 'now'>,
    key: string,
    app: Application,
    attempt: number,
    signal: AbortSignal,
  ): Promise<void> {
    const shared = options.sharesPath(app)
    const why =
      app.source.chartName !== ''
        ? 'it is a chart of a chart repository'
        : shared
          ? 'another application uses the same path'
          : app.sources.length > 1
            ? 'it has several sources'
            : ''
    const result: RevertResult =
      why !== ''
        ? { kind: 'dropped', why }
        : await options
            .write({ ...due, author: options.author, now: options.now() }, signal)
            .catch((error: Error) => ({ kind: 'refused', message: error.message, transient: true }))
    if (result.kind === 'refused' && result.transient) setTimeout(() => begun.delete(key), 30_000).unref()
    if (result.kind === 'pushed') options.written(app.source.repoURL, app.source.targetRevision)
    const at = new Date(options.now()).toISOString()
    await options
      .tell({
        id: `${key}.revert.${result.kind}`,
        at,
        application: app.name,
        what: 'revert-commit',
        message: told(result, due),
        attempt,
        release: '',
        commit: due.bad.commit,
      })
      .catch(() => undefined)
  }
}

function told(result: RevertResult, due: { readonly bad: { readonly commit: string } }): string {
  const bad = shortCommit(due.bad.commit)
  switch (result.kind) {
    case 'pushed':
      return `The rollback of ${bad} was written to Git as ${shortCommit(result.commit)} on ${result.branch}.`
    case 'dropped':
      return `The rollback of ${bad} was not written to Git: ${result.why}.`
    case 'refused':
      return `The rollback of ${bad} could not be written to Git: ${result.message}`
  }
}
