// What the API asks, answered from memory; what people ask for is stored before it is acknowledged, then the application is woken.
import type { Manifest } from '../runtime/contract/manifest.js'
import { masked } from './api/masks.js'
import { RefusedError, type Service, type StreamChange } from './api/service.js'
import { isNamed, shortRevision } from './application/tracked.js'
import { type Application, isApplication } from './application.js'
import { type Applications, type Entry, InvalidApplicationError } from './applications.js'
import { approvalOf } from './approving.js'
import { filePlan, packBackup, unpackBackup } from './backup.js'
import type { Cluster } from './cluster/cluster.js'
import type { NodeState } from './cluster/node/cluster.js'
import { deletionAsked } from './deleting.js'
import { hidden, stillHides, withSecretsOf } from './inline.js'
import type { KeyFiles } from './key-files.js'
import { type Actor, goodRelease, type Ledger, type Request, resumed, withPause, withRelease, withRequest } from './ledger.js'
import { attemptView } from './records.js'
import type { Candidate, CommitSha, Release, ReleaseId } from './release.js'
import { chosen, keptBy, refuseRotation } from './rotation.js'
import { selectionOf } from './selecting.js'
import { declarationOf, shownChild, withoutOurs } from './shown.js'
import { rotated } from './sticky.js'
import { parseArchive, type Store } from './store/store.js'
import { TakenError } from './taken.js'
import { objectTree } from './tree.js'
import type { DiffView, EventView, NodeView } from './view.js'
import { prose } from './words.js'

export interface ServiceOptions {
  readonly applications: Applications
  readonly store: Store
  readonly cluster: (entry: Entry) => Cluster
  readonly nodes: () => readonly NodeState[]
  readonly wake: (name: string) => void
  /** Asks Git now, and gives what the newest revision renders to. */
  readonly look: (entry: Entry) => Promise<Candidate | null>
  readonly wakeRepository: (url: string, ref: string | null) => number
  readonly readiness: Service['readiness']
  /** What applications there are is known: the store was read. */
  readonly isRead: () => boolean
  readonly diff: (older: readonly Manifest[], newer: readonly Manifest[]) => DiffView['objects']
  /** Stands for a secret value in a diff: the same for the same value, and says nothing of it. */
  readonly hash: (value: string) => string
  /** Files that a backup holds beside the store: keys and tokens. */
  readonly keyFiles: KeyFiles
  readonly now: () => number
  readonly randomHex: (bytes: number) => string
}

export function createService(options: ServiceOptions): Service {
  const { applications, store, now, randomHex, wake } = options

  /** Right after a start nothing is known: that is no answer to what there is. */
  const read = (): Applications => {
    if (options.isRead()) return applications
    throw new RefusedError(
      503,
      'starting',
      'The controller is reading its store; ask again in a moment. /readyz?verbose says what it waits for.',
    )
  }
  const entryOf = (name: string): Entry => {
    const entry = read().get(name)
    if (entry === null)
      throw new RefusedError(404, 'notFound', `There is no application ${name}; \`slipway apps\` lists those there are.`)
    return entry
  }

  /** What `get` left out may come back with `apply`: values of Secrets, the password of a URL. */
  function asMeant(manifest: unknown): unknown {
    const { metadata, spec } = (manifest ?? {}) as { readonly metadata?: { readonly name?: string }; readonly spec?: unknown }
    const former = applications.get(metadata?.name ?? '')
    const meant = former === null ? spec : withSecretsOf(spec, former.stored.manifest.spec, declarationOf(former).spec)
    if (stillHides(meant)) {
      const message = `holds ${hidden} where a value was left out; give the value itself`
      throw new RefusedError(422, 'invalidApplication', 'The Application is not valid.', [
        { pointer: 'spec.source.helm', message },
      ])
    }
    return meant === spec ? manifest : { ...(manifest as object), spec: meant }
  }

  const declared = (object: Manifest) => (isApplication(object) ? applications.get(object.metadata.name) : null)

  async function audited(name: string, by: Actor, action: string, message: string): Promise<void> {
    await store.audit({ id: randomHex(8), at: new Date(now()).toISOString(), by, action, application: name, message })
  }

  /** Changes the ledger, tells it as an event, wakes the application. */
  async function act(
    name: string,
    by: Actor,
    action: string,
    message: string,
    change: (ledger: Ledger, entry: Entry) => Ledger,
    releases: readonly Release[] = [],
  ): Promise<void> {
    entryOf(name)
    const changed = await applications.act(name, change, releases)
    if (changed === null) entryOf(name)
    if (changed !== true) return
    await audited(name, by, action, message)
    await applications.tellEvent(requestEvent(name, action, message))
    wake(name)
  }

  /** As `act`, of what goes on: nothing that is asked of one that is being deleted would be done. */
  async function ask(...[name, by, action, message, change, releases]: Parameters<typeof act>): Promise<void> {
    const guarded: typeof change = (ledger, entry) => {
      if (entry.app.mode === 'observe' && action !== 'paused' && action !== 'resumed')
        throw new RefusedError(
          409,
          'observing',
          `${name} is only observed: nothing is written for it. Take it over: slipway import --take-over ${name}`,
        )
      if (ledger.deletion !== null)
        throw new RefusedError(409, 'deleting', `${name} is being deleted: nothing else is done with it, and nothing stops that.`)
      return change(ledger, entry)
    }
    await act(name, by, action, message, guarded, releases)
  }

  /** Of some objects: a release of its own, made of what runs and of them. */
  async function askPart(
    { app, ledger }: Entry,
    request: Extract<Request, { kind: 'sync' }>,
    resources: readonly string[],
    candidate: Candidate | null,
  ): Promise<void> {
    const base = ledger.current?.release ?? null
    const current = base === null ? null : applications.release(app, base)
    const facts = { application: app.name, ledger, current, candidate }
    const { release, selectors, text } = selectionOf(facts, resources, request.prune === true)
    const part = { ...request, commit: null, release: release.id, prune: request.prune === true, selectors, base }
    const change = (now: Ledger) => withRequest(withRelease(now, release.id, candidate?.revision ?? null, request.at), part)
    await ask(app.name, request.by, 'requested', `sync of ${text} asked for`, change, [release])
  }

  function requestEvent(application: string, what: string, message: string): EventView {
    return {
      id: randomHex(8),
      at: new Date(now()).toISOString(),
      application,
      what,
      message,
      attempt: 0,
      release: '',
      commit: '',
    }
  }

  /** All of it, or nothing: keys that are others here are replaced by a person's word only, and in use after the next start. */
  async function restore(archive: Uint8Array, force: boolean): Promise<{ readonly message: string }> {
    const { store: kept, files } = await unpackBackup(archive).catch(notABackup)
    await Promise.resolve()
      .then(() => parseArchive(kept))
      .catch(notABackup)
    const { missing, otherKeys, otherTokens } = filePlan(files, options.keyFiles.read())
    if (otherKeys.length > 0 && !force)
      throw new RefusedError(
        409,
        'otherKeys',
        `The backup holds other keys than this controller has (${otherKeys.join(', ')}): nothing was changed. --force puts them in place of those here; nodes that joined with these obey it then no more.`,
      )
    if (otherKeys.length > 0) {
      options.keyFiles.leave(archive)
      const aside = options.keyFiles.put(files)
      return {
        message: `Keys and tokens of the backup put in place; those of before are kept in ${aside}. What it stores is taken back with the next start: slipway down, then slipway up (in a cluster: delete its pod).`,
      }
    }
    const taken = Object.entries(files).filter(([name]) => missing.includes(name) || force)
    const aside = options.keyFiles.put(Object.fromEntries(taken))
    const count = await store.importAll(kept)
    const problems = applications.load()
    for (const name of applications.names()) wake(name)
    return {
      message: prose(
        `${count} entries taken back, ${applications.names().length} applications`,
        problems.length === 0 ? '' : `to be corrected, and going on until then: ${problems.join('; ')}`,
        'the keys are the same',
        missing.length === 0 ? '' : `put back: ${missing.join(', ')}`,
        otherTokens.length === 0
          ? ''
          : aside === ''
            ? `${otherTokens.join(', ')} kept as they are here; --force takes those of the backup`
            : `${otherTokens.join(', ')} replaced, in use after slipway down and slipway up; those of before are kept in ${aside}`,
      ),
    }
  }

  return {
    applications: () =>
      read()
        .names()
        .flatMap(name => applications.view(name) ?? []),
    application: name => read().view(name),
    declaration: name => {
      const entry = read().get(name)
      return entry === null ? null : declarationOf(entry)
    },
    async declare(manifest, by, { dryRun }) {
      try {
        const { app, result } = await read().declare(asMeant(withoutOurs(manifest)), by, null, dryRun)
        if (!dryRun && result !== 'unchanged') await audited(app.name, by, 'declare', `${result} application ${app.name}`)
        wake(app.name)
        return { view: applications.view(app.name), created: result === 'created', changed: result !== 'unchanged' }
      } catch (error) {
        if (error instanceof TakenError) throw new RefusedError(409, 'taken', error.message)
        if (!(error instanceof InvalidApplicationError)) throw error
        const errors = error.faults.map(fault => ({ pointer: fault.pointer, message: fault.message }))
        throw new RefusedError(422, 'invalidApplication', 'The Application is not valid.', errors)
      }
    },
    async remove(name, by, { cascade, skipHooks = false }) {
      const entry = entryOf(name)
      const isTurned = !cascade && entry.ledger.deletion?.cascade === true
      const place = isTurned ? await options.cluster(entry).observe(entry.app, AbortSignal.timeout(lookMs)) : null
      const left = cascade ? '' : leftText(entry, applications.all())
      const message = cascade
        ? 'deletion of application and workload asked for'
        : `deletion of the application asked for; ${left} stays`
      await act(name, by, 'requested', message, ledger =>
        deletionAsked(ledger, { by, at: now(), cascade, ...(skipHooks ? { skipHooks } : {}) }, place),
      )
      return { message: `${name} is being deleted${cascade ? ' with what it runs' : `; ${left} is left`}.` }
    },
    async sync(name, by, { revision, prune, resources = [], tests = false }) {
      const id = randomHex(8)
      const candidate = await options.look(entryOf(name))
      const commit: CommitSha | null = candidate?.revision?.commit ?? null
      const release = candidate?.kind === 'release' ? candidate.release.id : null
      if (revision !== null && !isNamed(commit ?? '', revision)) throw notNewest(entryOf(name).app, revision, candidate)
      const request = { id, kind: 'sync' as const, by, at: now(), commit, release, prune, ...(tests ? { tests } : {}) }
      if (resources.length === 0) await ask(name, by, 'requested', 'sync asked for', ledger => withRequest(ledger, request))
      else await askPart(entryOf(name), request, resources, candidate)
      return { request: id }
    },
    async rollback(name, by, { to, message }) {
      const id = randomHex(8)
      const release = releaseNamed(entryOf(name), to, applications)
      await ask(
        name,
        by,
        'requested',
        `rollback to ${numberOf(entryOf(name).ledger, release)} asked for${message === '' ? '' : `: ${message}`}`,
        ledger => withRequest(ledger, { id, kind: 'rollback', by, at: now(), release, message }),
      )
      return { request: id }
    },
    async retry(name, by, { release: named }) {
      const id = randomHex(8)
      const entry = entryOf(name)
      const release = named === '' ? null : releaseNamed(entry, named, applications)
      await ask(name, by, 'requested', 'retry asked for', ledger =>
        withRequest(ledger, { id, kind: 'retry', by, at: now(), release }),
      )
      return { request: id }
    },
    sticky: name => keptBy(entryOf(name), applications),
    async rotate(name, by, asked) {
      const id = randomHex(8)
      const entry = entryOf(name)
      refuseRotation(entry)
      const meant = chosen(keptBy(entry, applications), asked, name)
      const message = `rotation asked for: ${meant.map(({ id: one, places, label }) => `${one} (${places[0] ?? label})`).join(', ')}`
      const request = { id, kind: 'sync' as const, by, at: now(), commit: null, release: null, prune: null }
      const rotatedKeys = meant.map(({ key }) => key)
      await ask(name, by, 'rotated', message, ledger => withRequest(rotated(ledger, rotatedKeys), request))
      return { request: id, rotated: rotatedKeys }
    },
    async approve(name, by) {
      const { message, change } = approvalOf(entryOf(name), { by, at: now() })
      await act(name, by, 'approved', message, change)
      return { message: `${message}.` }
    },
    pause: (name, by, reason) =>
      ask(name, by, 'paused', `paused${reason === '' ? '' : `: ${reason}`}`, ledger =>
        ledger.pause !== null ? ledger : withPause(ledger, { by, at: now(), reason }),
      ),
    resume: (name, by) => ask(name, by, 'resumed', 'resumed', ledger => (ledger.pause === null ? ledger : resumed(ledger))),
    async history(name) {
      const entry = entryOf(name)
      return applications.history(name).map(attempt => attemptView(entry.ledger, attempt))
    },
    async manifests(name, release) {
      return objectsOf(entryOf(name), release, applications).map(object => masked(shownChild(object, declared(object))))
    },
    tree(name) {
      const entry = entryOf(name)
      const current = entry.ledger.current
      return objectTree(
        current === null ? null : applications.release(entry.app, current.release),
        entry.pass?.observed ?? null,
        entry.pass?.health ?? null,
        current?.hookRuns ?? [],
      )
    },
    async diff(name, from, to) {
      const entry = entryOf(name)
      const [older, newer] = [from === '' ? 'live' : from, to]
      const objects = (which: string) =>
        objectsOf(entry, which, applications).map(object => shownChild(object, declared(object), options.hash))
      return {
        from: titleOf(entry, older, applications),
        to: titleOf(entry, newer, applications),
        objects: options.diff(objects(older), objects(newer)),
      }
    },
    events: async (name, limit) => store.events(name, limit),
    logs: (name, wish, signal) => logsOf(entryOf(name), options.cluster(entryOf(name)), wish, signal),
    nodes: () => options.nodes().map(state => nodeView(state, applications.all(), now())),
    wakeRepository: options.wakeRepository,
    subscribe: listener =>
      applications.onChange(change => {
        if (change.type === 'noted')
          return listener({ ...change, view: () => applications.view(change.name) } satisfies StreamChange)
        if (change.type !== 'application') return listener(change)
        const view = change.view ?? applications.view(change.name)
        if (view !== null) listener({ type: 'application', view } satisfies StreamChange)
      }),
    backup: () => packBackup({ store: store.exportAll(), files: options.keyFiles.read() }),
    restore: (archive, { force }) => restore(archive, force),
    readiness: options.readiness,
  }
}

const lookMs = 5_000

/** What goes on when the application is let go: of what was to be ended, only what has not ended until its place hears otherwise. */
function leftText({ app, ledger }: Entry, all: readonly Entry[]): string {
  const ending = all.filter(entry => entry.app.parent === app.name && entry.ledger.deletion?.cascade).map(entry => entry.app.name)
  const own = ledger.deletion?.cascade ? `what ${ledger.place} has not ended before it hears of that` : 'what it runs'
  return ending.length === 0 ? own : `${own}, but for what ${ending.join(', ')} ran (being ended),`
}

function notABackup(error: Error): never {
  throw new RefusedError(422, 'notABackup', error.message)
}

function notNewest({ name, source }: Application, revision: string, candidate: Candidate | null): RefusedError {
  const commit = candidate?.revision?.commit
  const newest =
    commit === undefined
      ? `${source.targetRevision} of ${source.repoURL} cannot be read now`
      : `the newest ${source.chartName === '' ? 'commit' : 'version'} of ${source.targetRevision} is ${shortRevision(commit)}`
  const instead = 'use rollback to go to a former release, or change spec.source.targetRevision'
  return new RefusedError(409, 'notNewest', `${name}: ${revision} is not what would be synced: ${newest}; ${instead}.`)
}

function numberOf(ledger: Ledger, id: ReleaseId): string {
  return `r${ledger.releases[id]?.number ?? '?'}`
}

/** By id, `r14`, `#12` or 12 (an attempt), a commit's beginning, '' = the good one before what runs. */
function releaseNamed(entry: Entry, named: string, applications: Applications): ReleaseId {
  const { ledger, app } = entry
  const found =
    named === '' ? (goodRelease(ledger, ledger.current?.release ?? null)?.release ?? null) : matching(entry, named, applications)
  if (found === null || applications.release(app, found) === null) {
    const known = ledger.good.map(good => numberOf(ledger, good.release)).join(', ')
    const what = named === '' ? 'there is no earlier good release to go back to' : `${named} names no release that is kept`
    throw new RefusedError(404, 'noSuchRelease', `${app.name}: ${what}${known === '' ? '.' : `; good ones: ${known}.`}`)
  }
  return found
}

function matching({ ledger, app }: Entry, named: string, applications: Applications): ReleaseId | null {
  const ids = Object.keys(ledger.releases) as ReleaseId[]
  const attempt = /^#?(\d{1,6})$/.exec(named)?.[1]
  return (
    ids.find(id => id === named || numberOf(ledger, id) === named) ??
    (attempt === undefined ? undefined : applications.history(app.name).find(one => one.number === Number(attempt))?.release) ??
    (/^[0-9a-f]{7,40}$|\./.test(named)
      ? ids.findLast(id => isNamed(ledger.releases[id]?.revision.commit ?? '', named))
      : undefined) ??
    null
  )
}

/** '' = the candidate, `live` = what was last applied, else a release. */
function releaseFor(entry: Entry, named: string, applications: Applications): Release | null {
  const { app, ledger, pass } = entry
  if (named === '' || named === 'candidate') {
    const candidate = pass?.candidate ?? null
    if (candidate?.kind === 'rejection')
      throw new RefusedError(409, candidate.rejection.reason, `${app.name} does not render: ${candidate.rejection.message}`)
    return candidate?.release ?? null
  }
  if (named === 'live') return ledger.current === null ? null : applications.release(app, ledger.current.release)
  return applications.release(app, releaseNamed(entry, named, applications))
}

function objectsOf(entry: Entry, named: string, applications: Applications): readonly Manifest[] {
  return releaseFor(entry, named, applications)?.objects ?? []
}

function titleOf(entry: Entry, named: string, applications: Applications): string {
  const release = releaseFor(entry, named, applications)
  if (release === null) return 'nothing'
  const known = entry.ledger.releases[release.id]
  return known === undefined ? release.id : `${shortRevision(known.revision.commit)} (r${known.number})`
}

async function* logsOf(
  entry: Entry,
  cluster: Cluster,
  wish: {
    readonly pod: string
    readonly container: string
    readonly tail: number
    readonly follow: boolean
    readonly previous: boolean
  },
  signal: AbortSignal,
): AsyncIterable<{ readonly at: string; readonly pod: string; readonly container: string; readonly text: string }> {
  const { tail, follow, previous } = wish
  const streams = logTargets(entry, wish).map(async function* linesOf(target) {
    try {
      for await (const line of cluster.logs(entry.app, target.pod, target.container, { tail, follow, previous }, signal))
        yield { at: line.at, text: line.text, ...target }
    } catch (error) {
      if (signal.aborted) return
      throw new RefusedError(503, 'noLogs', `${entry.app.name}: ${(error as Error).message}`)
    }
  })
  yield* follow ? merged(streams) : inTime(streams)
}

/** The containers that are meant. Throws where there is none: by name what is not there, and what is. */
function logTargets(
  { app, pass }: Entry,
  wish: { readonly pod: string; readonly container: string; readonly previous: boolean },
): readonly { readonly pod: string; readonly container: string }[] {
  const all = (pass?.observed.pods ?? []).flatMap(pod =>
    pod.containers.map(container => ({ pod: pod.name, container: container.name, restarts: container.restartCount })),
  )
  const meant = all.filter(
    one => (wish.pod === '' || one.pod === wish.pod) && (wish.container === '' || one.container === wish.container),
  )
  if (meant.length === 0) {
    const what = [wish.pod, wish.container].filter(part => part !== '').join('/')
    const there = [...new Set(all.map(one => (wish.pod === one.pod ? `${one.pod}/${one.container}` : one.pod)))].join(', ')
    const known = there === '' ? 'it has no pods now' : `there are ${there}`
    throw new RefusedError(404, 'noSuchPod', `${app.name}: ${what === '' ? 'nothing runs' : `no ${what}`}; ${known}.`)
  }
  const targets = wish.previous ? meant.filter(one => one.restarts > 0) : meant
  if (targets.length === 0)
    throw new RefusedError(
      404,
      'noPrevious',
      `${app.name}: no container was restarted, so none has earlier logs; leave out --previous.`,
    )
  return targets
}

/** All lines, oldest first: the logs are ended ones. */
async function* inTime<Line extends { readonly at: string }>(streams: readonly AsyncIterable<Line>[]): AsyncIterable<Line> {
  const lines = (await Promise.all(streams.map(stream => collected(stream)))).flat()
  yield* lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
}

async function collected<T>(stream: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const one of stream) all.push(one)
  return all
}

/** As they come, from all at once. */
async function* merged<T>(streams: readonly AsyncIterable<T>[]): AsyncIterable<T> {
  const iterators = streams.map(stream => stream[Symbol.asyncIterator]())
  const next = (iterator: AsyncIterator<T>, index: number) => iterator.next().then(result => ({ result, index }))
  const waiting = new Map(iterators.map((iterator, index) => [index, next(iterator, index)]))
  while (waiting.size > 0) {
    const { result, index } = await Promise.race(waiting.values())
    const iterator = iterators[index]
    if (result.done === true || iterator === undefined) waiting.delete(index)
    else {
      waiting.set(index, next(iterator, index))
      yield result.value
    }
  }
}

function nodeView({ lease, heardAt, silent }: NodeState, entries: readonly Entry[], now: number): NodeView {
  const here = entries.filter(entry => entry.app.destination.name === lease.node)
  return {
    name: lease.node,
    ready: !silent && !lease.conditions.some(({ type, status }) => type === 'EngineUnreachable' && status === 'True'),
    lastSeen: new Date(Math.min(heardAt, now)).toISOString(),
    versions: lease.versions,
    applications: here.length,
    pods: here.reduce((sum, entry) => sum + (entry.pass?.observed.pods.length ?? 0), 0),
    capacity: lease.capacity,
    allocated: lease.allocated,
    conditions: lease.conditions,
  }
}
