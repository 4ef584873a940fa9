// What a person may make anew of what an application keeps, and when: for the API's routes on it.
import { RefusedError } from './api/service.js'
import type { Applications, Entry } from './applications.js'
import { meantBy, type StickyView, stickyViews } from './sticky/view.js'

/** What is kept, and where it stands in the newest release. */
export function keptBy(entry: Entry, applications: Applications): readonly StickyView[] {
  const { app, ledger, pass } = entry
  const current = ledger.current === null ? null : applications.release(app, ledger.current.release)
  const newest = pass?.candidate?.kind === 'release' ? pass.candidate.release : current
  return stickyViews(ledger, newest?.objects ?? [])
}

/** New values come with a release of the newest content. Throws RefusedError where that is not to run. */
export function refuseRotation({ app, ledger, pass }: Entry): void {
  const { pin } = ledger
  if (pin !== null)
    throw new RefusedError(
      409,
      'pinned',
      `${app.name} stays at r${ledger.releases[pin.to]?.number ?? '?'}, where ${pin.by.name} rolled it back to: new values would release the newest content. Push what is to run, then rotate.`,
    )
  const mark = pass?.candidate?.kind === 'release' ? ledger.marks[pass.candidate.release.id] : undefined
  if (mark?.kind === 'bad')
    throw new RefusedError(
      409,
      'heldBack',
      `The newest content of ${app.name} was judged bad: new values would try it again. Push a fix or a revert, then rotate.`,
    )
}

/** Throws RefusedError where nothing is meant, or a name says too little. */
export function chosen(
  views: readonly StickyView[],
  { keys, all }: { readonly keys: readonly string[]; readonly all: boolean },
  name: string,
): readonly StickyView[] {
  if (views.length === 0) throw new RefusedError(404, 'noSuchValue', `${name}: its chart makes no values that are kept.`)
  // Which version of a chart a range means is no secret: made anew where it is named.
  if (all) return views.filter(view => view.function !== 'chart')
  if (keys.length === 0)
    throw new RefusedError(
      400,
      'noSuchValue',
      `${name}: say which values, or that all are meant; \`slipway rotate ${name}\` lists them.`,
    )
  try {
    return [...new Set(keys.flatMap(key => meantBy(key, views)))]
  } catch (error) {
    throw new RefusedError(404, 'noSuchValue', `${name}: ${(error as Error).message}.`)
  }
}
