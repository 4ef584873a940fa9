// Which applications follow which (repository, ref), and which of them a new commit wakes.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { trackedRef } from './application/tracked.js'
import type { Applications, Entry } from './applications.js'
import type { Sources } from './sources.js'
import { isUnmoved } from './unmoved.js'

export interface FollowingOptions {
  readonly applications: Pick<Applications, 'get' | 'all' | 'inTurn' | 'noted'>
  readonly sources: Pick<Sources, 'kept' | 'isMoved'>
  /** Begins to poll; returns how to end it. */
  follow(url: string, ref: string): () => void
  /** A pass for this application. */
  wake(name: string): void
  forget(name: string): void
  readonly signal: AbortSignal
}

export interface Following {
  /** The application is new, changed or gone. */
  follow(name: string): void
  wakeFollowers(url: string, ref: string): void
  /** Those that a new commit concerns get a pass, and go first; of the others it is shown only. */
  lookAtFollowers(url: string, ref: string): Promise<void>
}

export function createFollowing({ applications, sources, signal, ...options }: FollowingOptions): Following {
  const following = new Map<string, { readonly key: string; readonly stops: readonly (() => void)[] }>()

  function follow(name: string): void {
    const entry = applications.get(name)
    const before = following.get(name)
    const followed = entry === null ? [] : entry.app.sources.filter(({ repoURL }) => repoURL !== '')
    const key = followed.map(source => `${source.repoURL}\n${trackedRef(source)}`).join('\n')
    if (before?.key !== key) {
      // The new first: what both follow goes on being polled.
      const stops = followed.map(source => options.follow(source.repoURL, trackedRef(source)))
      for (const stop of before?.stops ?? []) stop()
      if (stops.length === 0) following.delete(name)
      else following.set(name, { key, stops })
    }
    if (entry === null) options.forget(name)
    else options.wake(name)
  }
  function followersOf(url: string, ref: string): readonly string[] {
    const isFollower = ({ app }: Entry) => app.sources.some(one => one.repoURL === url && trackedRef(one) === ref)
    const all = applications.all().filter(isFollower)
    return all.map(({ app }) => app.name)
  }
  async function isSameAt(entry: Entry): Promise<boolean> {
    const candidate = await sources.kept(entry.app, entry.ledger, signal)
    if (candidate === null || !isUnmoved(entry, candidate)) return false
    applications.noted(entry.app.name, candidate)
    return true
  }
  function look(name: string): void {
    const looked = applications.inTurn(name, isSameAt).catch(() => false)
    void looked.then(isSame => (isSame === true ? undefined : options.wake(name)))
  }
  return {
    follow,
    wakeFollowers(url, ref) {
      for (const name of followersOf(url, ref)) options.wake(name)
    },
    async lookAtFollowers(url, ref) {
      const still: string[] = []
      // A thousand of them take a few tenths of a second: others get their turn meanwhile.
      for (const [at, name] of followersOf(url, ref).entries()) {
        if (at % 50 === 49) await nextTurn()
        const app = applications.get(name)?.app
        if (app !== undefined && (await sources.isMoved(app).catch(() => true))) look(name)
        else still.push(name)
      }
      for (const [at, name] of still.entries()) {
        // Those that moved are on their way, and go first.
        if (at % 10 === 0) await nextTurn()
        look(name)
      }
    },
  }
}
