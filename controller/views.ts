// From facts to what is shown (view.ts): one application's state, its sentence, and the answer to "why". Pure; words only.
import type { Application } from './application.js'
import { faultsText } from './fields.js'
import type { Attempt, Ledger, Mark } from './ledger.js'
import { goodRelease, isUnderWay } from './ledger.js'
import { type ObservedFacts, observedMessage, observedShort, observedState } from './observing.js'
import { attemptView, candidateView, chartWarnings, numberOf, releaseView, time, verdictView } from './records.js'
import type { Candidate } from './release.js'
import { namedText } from './sync/consent.js'
import type { ApplicationView, AttemptView, StateWord, WhyView } from './view.js'
import { type Waits, wholeSeconds } from './waiting.js'
import { ago, likelyCause, prose, shortCommit, span } from './words.js'

export interface Facts extends Waits {
  readonly app: Application
  readonly ledger: Ledger
  readonly candidate: Candidate | null
  /** Since when the place has not been heard of, and why; null while it is. */
  readonly silent: { readonly since: number; readonly message: string; readonly hears: boolean } | null
  readonly health: { readonly status: string; readonly message: string }
  /** Pods of what runs: `3 of 3 ready`; '' where there are none. */
  readonly ready: string
  /** What an attempt under way waits for: `api 2 of 3 ready`; '' where nothing is known of it. */
  readonly awaited: string
  /** It was healthy and is not: since when, and what shows it. Null while it is well, or something is under way. */
  readonly ill: { readonly since: number; readonly message: string; readonly log: readonly string[] } | null
  /** Of one that is only observed: of how many objects which differ from Git; null before anything was compared. */
  readonly compared: ObservedFacts['compared']
  /** What of it is not as it was applied, and who changed it; '' where all is. */
  readonly drift: string
  /** All that there are, of every application; asked only where a log names one that may be missing. */
  readonly services: () => readonly { readonly namespace: string; readonly name: string }[]
  readonly now: number
}

export function applicationView(facts: Facts): ApplicationView {
  const { app, ledger, candidate } = facts
  const state = stateOf(facts)
  const attempt = newestAttempt(facts)
  const good = goodRelease(ledger)
  return {
    name: app.name,
    uid: app.uid,
    project: app.project,
    place: app.destination.place,
    namespace: app.destination.namespace,
    state,
    message: messageOf(facts, state),
    short: shortOf(facts, state),
    since: time(sinceOf(facts, state)),
    release: ledger.current === null ? null : releaseView(ledger, ledger.current.release),
    candidate: candidateView(ledger, candidate),
    good: good === null ? null : releaseView(ledger, good.release),
    source: sourceView(app.source),
    attempt: attempt === null ? null : attemptView(ledger, attempt),
    health: facts.health,
    sync: syncOf(facts),
    stale: candidate?.stale == null ? null : { since: time(candidate.stale.since), message: candidate.stale.message },
    paused: ledger.pause === null ? null : { by: ledger.pause.by.name, at: time(ledger.pause.at), reason: ledger.pause.reason },
    pinned: ledger.pin === null ? null : { to: numberOf(ledger, ledger.pin.to), by: ledger.pin.by.name, at: time(ledger.pin.at) },
    requests: ledger.requests.map(({ id, kind, by, at }) => ({ id, kind, by: by.name, at: time(at) })),
    why: whyOf(facts, state),
    blockedBy: facts.gates.map(({ kind, application, message, until }) => ({ kind, application, message, until: time(until) })),
    asks: facts.asks === null ? null : { ...facts.asks, since: time(facts.asks.since) },
    policy: {
      automated: app.sync.automated,
      selfHeal: app.sync.selfHeal,
      prune: app.sync.prune && !app.sync.options.includes('Prune=false'),
      onFailure: app.rollout.onFailure,
      healthTimeoutSeconds: app.rollout.healthTimeoutMs / 1000,
      bakeTimeSeconds: app.rollout.bakeTimeMs / 1000,
      writeBack: app.rollout.writeBack,
    },
    warnings: [...warningsOf(facts), ...chartWarnings(candidate)],
    deleting: ledger.deletion !== null,
  }
}

/** First that applies: a person's word, then what is not known, what is under way, what went wrong, what waits. */
export function stateOf(facts: Facts): StateWord {
  const { ledger, candidate } = facts
  const { attempt, trying } = ledger
  if (ledger.deletion !== null) return 'Deleting'
  if (facts.app.mode === 'observe') return observedState(facts)
  if (facts.silent !== null) return 'Unknown'
  if (ledger.pause !== null) return 'Paused'
  if (attempt?.step.name === 'RollingBack' && attempt.outcome === null) return 'RollingBack'
  if (isUnderWay(attempt)) return 'Releasing'
  if (trying?.outcome === 'Held' || candidate?.kind === 'rejection') return 'Held'
  if (trying !== null && trying.outcome === null) return 'Releasing'
  if (attempt?.outcome === 'Failed') return 'Failed'
  if (facts.ill !== null || facts.health.status === 'Degraded') return 'Degraded'
  if (isMarked(facts) && isBehind(facts)) return 'RolledBack'
  if (ledger.current === null || isBehind(facts) || facts.drift !== '' || facts.asks !== null) return 'OutOfSync'
  return 'Healthy'
}

function isObserved({ app, ledger }: Facts): boolean {
  return app.mode === 'observe' && ledger.deletion === null
}

function isMarked({ ledger, candidate }: Facts): boolean {
  return candidate?.kind === 'release' && ledger.marks[candidate.release.id] !== undefined
}

function isBehind({ ledger, candidate }: Facts): boolean {
  return candidate?.kind === 'release' && candidate.release.id !== ledger.current?.release
}

/** What the newest content led to: the attempt being tried, else the one that made current what it is. */
function newestAttempt({ ledger }: Facts): Attempt | null {
  const { attempt, trying } = ledger
  return trying !== null && trying.number > (attempt?.number ?? 0) ? trying : attempt
}

function sinceOf(facts: Facts, state: StateWord): number {
  const { ledger, silent } = facts
  const attempt = newestAttempt(facts)
  if (state === 'Unknown') return silent?.since ?? 0
  if (state === 'Paused') return ledger.pause?.at ?? 0
  if (state === 'Deleting') return ledger.deletion?.at ?? 0
  if (state === 'Degraded' && facts.ill !== null) return facts.ill.since
  if (state === 'Releasing') return attempt?.moves[0]?.at ?? 0
  if (state === 'RollingBack') return attempt?.rollback?.since ?? 0
  if (state === 'OutOfSync') return facts.candidate?.revision?.seenAt ?? attempt?.times.ended ?? 0
  return attempt?.times.ended || attempt?.moves.at(-1)?.at || attempt?.times.seen || 0
}

/** `9be03d7 (r30) runs, healthy, 3 of 3 ready`. */
function runningClause({ ledger, health, ready }: Facts): string {
  if (ledger.current === null) return 'nothing runs yet'
  const release = releaseView(ledger, ledger.current.release)
  const state = health.status === 'Healthy' ? 'healthy' : health.status.toLowerCase()
  return [`${shortCommit(release?.commit ?? '')} (${release?.number}) runs`, state, ready].filter(part => part !== '').join(', ')
}

function verdictClause(facts: Facts): string {
  const verdict = markOf(facts)?.verdict ?? newestAttempt(facts)?.verdict
  return verdict == null ? '' : verdict.message
}

/** Not its own doing: it is no bad one. */
function isSurroundings(facts: Facts): boolean {
  return (markOf(facts) ?? newestAttempt(facts)?.verdict)?.kind === 'surroundings'
}

function markOf({ ledger, candidate }: Facts): Mark | undefined {
  return candidate?.kind === 'release' ? ledger.marks[candidate.release.id] : undefined
}

function shortOf(facts: Facts, state: StateWord): string {
  const { ledger, candidate } = facts
  const bad = candidate?.revision == null ? '' : shortCommit(candidate.revision.commit)
  if (isObserved(facts)) return observedShort(facts)
  switch (state) {
    case 'Healthy':
      return facts.ready
    case 'RolledBack':
    case 'Failed':
    case 'RollingBack':
      return `${bad} ${isSurroundings(facts) ? 'could not be released' : 'is bad'}: ${verdictClause(facts)}`
    case 'Held':
      return candidate?.kind === 'rejection' ? candidate.rejection.message : (ledger.trying?.message ?? '')
    case 'Releasing':
      return progressOf(facts)
    case 'Degraded':
      return facts.ill?.message ?? facts.health.message
    case 'Unknown':
      return facts.silent?.message ?? ''
    case 'Paused':
      return `by ${ledger.pause?.by.name}`
    case 'OutOfSync':
      return facts.waiting !== '' ? facts.waiting : facts.drift || asksClause(facts) || 'Git is being read'
    case 'Deleting':
      return ledger.deletion?.cascade === false ? 'letting go of what runs' : facts.waiting || 'ending what runs'
  }
}

/** `wave 1 of 3, api 2 of 3 ready`: the step, and what it waits for. */
function progressOf(facts: Facts): string {
  const attempt = newestAttempt(facts)
  if (attempt === null) return ''
  const { step, message } = attempt
  if (attempt !== facts.ledger.attempt || facts.awaited === '') return message
  if (step.name === 'Syncing') return `wave ${step.index} of ${step.of}, ${facts.awaited}`
  return step.name === 'Verifying' ? facts.awaited : message
}

function messageOf(facts: Facts, state: StateWord): string {
  const { app, ledger, now } = facts
  const retry = `slipway retry ${app.name}`
  if (isObserved(facts)) return observedMessage(facts, app)
  switch (state) {
    case 'Healthy':
      return prose(runningClause(facts), pinClause(facts), staleClause(facts), ...warningsOf(facts))
    case 'RolledBack':
      return prose(shortOf(facts, state), runningClause(facts), nextClause(facts), asksClause(facts), `push a fix, or: ${retry}`)
    case 'Failed':
      return prose(shortOf(facts, state), runningClause(facts), failedClause(facts), `push a fix, or: ${retry}`)
    case 'RollingBack':
      return prose(shortOf(facts, state), newestAttempt(facts)?.message ?? 'going back')
    case 'Held':
      return prose(shortOf(facts, state), runningClause(facts), untouchedClause(facts), staleClause(facts))
    case 'Releasing':
      return prose(`${shortCommit(newestAttempt(facts)?.revision?.commit ?? '')}: ${shortOf(facts, state)}`, servingClause(facts))
    case 'Degraded':
      return prose(
        shortOf(facts, state),
        runningClause(facts),
        'it was healthy and is not rolled back: the cause is most likely elsewhere',
        `see more: slipway logs ${app.name}`,
      )
    case 'Unknown':
      return prose(
        shortOf(facts, state),
        ledger.current === null ? 'nothing is released before' : 'nothing is judged until it is heard of again',
        ledger.current === null ? '' : 'what ran there goes on',
      )
    case 'Paused':
      return prose(
        `paused ${shortOf(facts, state)}, ${ago(now - (ledger.pause?.at ?? now))}`,
        ledger.pause?.reason ?? '',
        runningClause(facts),
        facts.waiting === '' ? '' : `without the pause: ${facts.waiting}`,
        `go on: slipway resume ${app.name}`,
      )
    case 'OutOfSync':
      return prose(
        shortOf(facts, state),
        runningClause(facts),
        staleClause(facts),
        healClause(facts),
        facts.waiting === '' && facts.drift === '' ? approveClause(facts) : asksClause(facts),
        (facts.waiting === '' && facts.drift === '') || isClosed(facts) ? '' : `release it: ${releaseCommand(facts)}`,
      )
    case 'Deleting':
      return prose(shortOf(facts, state), runningClause(facts), ...unendedClauses(facts))
  }
}

/** A window that is closed holds back what would heal it. */
function healClause({ waiting, drift, gates }: Facts): string {
  const [first] = waiting === '' && drift !== '' ? gates : []
  return first === undefined ? '' : `it is not healed before ${first.message}`
}

/** What is no longer in Git, and stays until a person has said that it may go. */
function asksClause({ asks }: Facts): string {
  return asks?.act === 'prune' ? `waiting for a word: is ${namedText(asks.objects)}, no longer in Git, to be deleted?` : ''
}

function approveClause({ app, asks }: Facts): string {
  return asks === null ? '' : `if so: slipway approve ${app.name}`
}

/** A deletion waits for its place, for as long as that takes: the way out is to let go. */
function unendedClauses(facts: Facts): readonly string[] {
  const { app, ledger, silent } = facts
  if (ledger.deletion === null || silent === null) return []
  if (!ledger.deletion.cascade) return [silent.message, silent.hears ? 'it is let go once its place has taken that in' : '']
  if (!mayLetGo(facts)) return [silent.message, 'it ends there once it can']
  return [silent.message, 'it ends there once it is heard of', `let it go as it is: slipway delete ${app.name} --cascade=false`]
}

/** As the service has it: what the place heard that it is to end is not taken back. */
function mayLetGo({ ledger: { deletion }, silent }: Facts): boolean {
  return deletion?.cascade === true && (deletion.told !== true || (silent !== null && !silent.hears))
}

/** What goes on serving while the newest is tried. */
function servingClause({ ledger }: Facts): string {
  const { attempt, current } = ledger
  const from = attempt !== null && isUnderWay(attempt) ? attempt.from : (current?.release ?? null)
  const serving = from === null || from === attempt?.release ? null : releaseView(ledger, from)
  return serving === null ? '' : `${shortCommit(serving.commit)} (${serving.number}) serves until it is ready`
}

/** A sync leaves a pin as it is: trying the newest by name is what lifts it. */
function releaseCommand({ app, ledger, candidate }: Pick<Facts, 'app' | 'ledger' | 'candidate'>): string {
  const newest = candidate?.kind === 'release' ? numberOf(ledger, candidate.release.id) : ''
  return ledger.pin === null || newest === '' ? `slipway sync ${app.name}` : `slipway retry ${app.name} ${newest}`
}

function pinClause({ ledger }: Facts): string {
  return ledger.pin === null
    ? ''
    : `pinned to ${numberOf(ledger, ledger.pin.to)} by ${ledger.pin.by.name} until another change comes`
}

function untouchedClause({ ledger }: Facts): string {
  return ledger.current === null ? '' : 'nothing that runs was touched'
}

/** What would be refused of the declaration today, and is not heeded. What it holds back is a reason of its own. */
function warningsOf({ app, unheeded }: Facts): readonly string[] {
  const left = app.faults.filter(({ holds }) => !holds)
  const kept = `its declaration would be refused today, and goes on without this: ${faultsText(left)}; apply it corrected`
  const wrong = unheeded.map(fault => `${fault}; nothing that differs is healed until that is corrected`)
  return [...(left.length === 0 ? [] : [kept]), ...wrong]
}

/** Said once: where the newest could not be read at all, the same sentence is the reason already. */
function staleClause({ candidate, now }: Facts): string {
  const isReason = candidate?.kind === 'rejection' && candidate.rejection.message === candidate.stale?.message
  return candidate?.stale == null || isReason
    ? ''
    : `Git has not been read for ${span(wholeSeconds(now - candidate.stale.since))}: ${candidate.stale.message}`
}

/** When a release that its surroundings failed is tried again, or that a bad one is not. */
function nextClause(facts: Facts): string {
  const mark = markOf(facts)
  if (mark === undefined) return ''
  if (mark.kind === 'surroundings' && mark.verdict.kind === 'bad')
    return `tried again by itself in ${span(wholeSeconds(Math.max(0, mark.dueAt - facts.now)))}, as syncPolicy.retry says`
  if (mark.kind === 'surroundings')
    return `its surroundings failed, so it is tried again in ${span(wholeSeconds(Math.max(0, mark.dueAt - facts.now)))}`
  return 'it is not tried again until its content changes'
}

function syncOf(facts: Facts): ApplicationView['sync'] {
  if (facts.silent !== null || facts.candidate === null)
    return { status: 'Unknown', message: facts.silent?.message ?? 'not looked at yet' }
  if (facts.candidate.kind === 'rejection') return { status: 'Unknown', message: facts.candidate.rejection.message }
  if (facts.app.mode === 'observe') {
    const isSame = facts.compared !== null && facts.compared.differs.length === 0
    return { status: isSame ? 'Synced' : 'OutOfSync', message: observedShort(facts) }
  }
  if (isBehind(facts)) return { status: 'OutOfSync', message: facts.waiting }
  const differs = facts.drift || asksClause(facts)
  return differs === '' ? { status: 'Synced', message: '' } : { status: 'OutOfSync', message: differs }
}

const headlines: Readonly<Record<StateWord, string>> = {
  Healthy: 'is healthy',
  Releasing: 'is being released',
  RollingBack: 'is being rolled back',
  RolledBack: 'was rolled back',
  Failed: 'failed',
  Held: 'is held: its newest commit could not be tried',
  OutOfSync: 'differs from Git',
  Degraded: 'was healthy and is not now',
  Unknown: 'is not heard of',
  Paused: 'is paused',
  Deleting: 'is being deleted',
}

function whyOf(facts: Facts, state: StateWord): WhyView {
  const { app, now } = facts
  const attempt = newestAttempt(facts)
  const since = sinceOf(facts, state)
  const when =
    since === 0 || state === 'Healthy'
      ? ''
      : ['RolledBack', 'Failed', 'Held'].includes(state)
        ? `, ${ago(now - since)}`
        : `, for ${span(wholeSeconds(now - since))}`
  return {
    headline: `${app.name} ${headlines[state]}${when}. ${prose(standingClause(facts, state))}`,
    attempt: attempt === null ? null : judgedView(facts, attempt),
    likely: likelyOf(facts, state, attempt),
    next: [...whatNext(facts, state), prose(...warningsOf(facts))].filter(text => text !== ''),
    commands: commandsOf(facts, state),
  }
}

/** While the newest is tried, it is the one before that serves. */
function standingClause(facts: Facts, state: StateWord): string {
  return (state === 'Releasing' && servingClause(facts)) || runningClause(facts)
}

function likelyOf(facts: Facts, state: StateWord, attempt: Attempt | null): string {
  const log = state === 'Degraded' ? (facts.ill?.log ?? []) : (markOf(facts)?.verdict.log ?? attempt?.verdict?.log ?? [])
  return log.length === 0 ? '' : likelyCause(log, facts.app.destination.namespace, facts.services())
}

/** What the newest content is marked for stands first, whichever attempt came since. */
function judgedView(facts: Facts, attempt: Attempt): AttemptView {
  const view = attemptView(facts.ledger, attempt)
  const mark = markOf(facts)
  if (mark === undefined || attempt.release === (facts.candidate?.kind === 'release' ? facts.candidate.release.id : null))
    return view
  return {
    ...view,
    release: candidateView(facts.ledger, facts.candidate),
    outcome: 'RolledBack',
    message: `judged ${ago(facts.now - mark.at)}`,
    verdict: verdictView(mark.verdict),
  }
}

function whatNext(facts: Facts, state: StateWord): readonly string[] {
  const { candidate } = facts
  switch (state) {
    case 'Held':
      return [
        candidate?.kind === 'rejection' ? excerptOf(candidate.rejection) : '',
        retryClause(facts),
        prose(untouchedClause(facts), 'the next good commit is released by itself'),
        prose(staleClause(facts)),
      ]
    case 'RolledBack':
      return [prose(nextClause(facts), 'fix and push, or try it again as it is')]
    case 'Failed':
      return [prose(failedClause(facts), nextClause(facts), 'fix and push, or try it again as it is')]
    case 'Degraded':
      return [
        ...[shortOf(facts, state), ...(facts.ill?.log ?? []).map(line => `| ${line}`)],
        'It was healthy and is not rolled back: the cause is most likely elsewhere.',
        prose(staleClause(facts)),
      ]
    case 'Paused':
      return [
        prose(shortOf(facts, state), facts.ledger.pause?.reason ?? ''),
        prose(facts.waiting === '' ? '' : `without the pause: ${facts.waiting}`),
        'Nothing is released, healed or rolled back until it is resumed.',
      ]
    case 'Healthy':
      return [prose(pinClause(facts)), prose(staleClause(facts))]
    case 'Deleting':
      return [prose(shortOf(facts, state), ...unendedClauses(facts))]
    default:
      return [prose(shortOf(facts, state)), prose(staleClause(facts))]
  }
}

/** A refused preflight is asked again by itself: a tag is often pushed before its image. */
function retryClause({ ledger, now }: Facts): string {
  const { preflight, trying } = ledger
  if (preflight === null || trying === null || preflight.release !== trying.release || preflight.retryAt <= now) return ''
  return `Tried again in ${span(wholeSeconds(preflight.retryAt - now + 999))}.`
}

function failedClause(facts: Facts): string {
  const { app, ledger } = facts
  const { attempt } = ledger
  if (attempt?.rollback != null)
    return `the rollback to ${numberOf(ledger, attempt.rollback.to)} did not become healthy, and nothing older is tried by itself`
  if (facts.waiting !== '') return facts.waiting
  if (goodRelease(ledger, ledger.current?.release ?? null) === null) return 'there is no good release to go back to'
  return app.rollout.onFailure === 'Hold' ? 'onFailure is Hold, so it stays' : ''
}

function excerptOf(rejection: { readonly excerpt: string }): string {
  return rejection.excerpt
}

function commandsOf(facts: Facts, state: StateWord): readonly string[] {
  const { app, ledger, candidate } = facts
  const running = ledger.current === null ? '' : (releaseView(ledger, ledger.current.release)?.number ?? '')
  const newest = candidate?.kind === 'release' ? numberOf(ledger, candidate.release.id) : ''
  const diff = running !== '' && newest !== '' && running !== newest ? [`slipway diff ${app.name} ${running} ${newest}`] : []
  switch (state) {
    case 'RolledBack':
    case 'Failed':
      return [`slipway retry ${app.name}`, ...diff]
    case 'OutOfSync':
      if (facts.asks !== null && facts.waiting === '' && facts.drift === '') return [`slipway approve ${app.name}`]
      return isClosed(facts) ? [...blockerCommands(facts), ...diff] : [releaseCommand({ app, ledger, candidate }), ...diff]
    case 'Paused':
      return [`slipway resume ${app.name}`]
    case 'Degraded':
      return [
        `slipway logs ${app.name}`,
        ...(goodRelease(ledger, ledger.current?.release ?? null) === null ? [] : [`slipway rollback ${app.name}`]),
      ]
    case 'Held':
      return [candidate?.kind === 'rejection' ? `slipway history ${app.name}` : `slipway retry ${app.name}`, ...diff]
    case 'Releasing':
    case 'RollingBack':
      return [`slipway wait ${app.name}`]
    case 'Deleting':
      if (facts.asks !== null) return [`slipway approve ${app.name}`, `slipway delete ${app.name} --cascade=false`]
      return mayLetGo(facts) ? [`slipway delete ${app.name} --cascade=false`] : [`slipway wait ${app.name}`]
    default:
      return [`slipway history ${app.name}`]
  }
}

/** A person's word would change nothing. */
function isClosed({ gates }: Facts): boolean {
  return gates.some(({ passesAsked }) => !passesAsked)
}

function blockerCommands({ gates }: Facts): readonly string[] {
  return gates.flatMap(({ application }) => (application === '' ? [] : [`slipway why ${application}`]))
}

/** A URL for people: the password, if it carries one, is not theirs to see. */
function sourceView({ repoURL, path, chartName, targetRevision }: Application['source']): ApplicationView['source'] {
  return { repoURL: withoutPassword(repoURL), path, chart: chartName, targetRevision }
}

export function withoutPassword(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)([^/@]*)@/i, '$1')
}
