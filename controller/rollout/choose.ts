// Choosing what should run: rows T1 to T10 of release.md, first that applies.
import { type Attempt, isRollingBack, isUnderWay, type Ledger, type Request } from '../ledger.js'
import type { Candidate, Release, ReleaseId } from '../release.js'
import { deletionStage } from '../sync/deletion.js'
import { askAgainMs } from '../sync.js'
import { abandoned, begun, droppedTrying, tried, turnedBack } from './attempt.js'
import { barrier } from './barrier.js'
import { goodToRun } from './judge.js'
import { known } from './observe.js'
import { occasionOf } from './occasion.js'
import {
  type ChooseRow,
  type DecideInput,
  type Gate,
  moved,
  type State,
  settled,
  verdictText,
  type Why,
  withAttempt,
  withLedger,
} from './state.js'

export interface Chosen {
  readonly state: State
  readonly row: ChooseRow
  readonly run: ReleaseId | 'leave' | 'delete'
  readonly preflight: { readonly release: ReleaseId; readonly round: number } | null
  readonly why: Why
  /** Further waves of what runs may begin. */
  readonly waves: boolean
  readonly wakeAt: number | null
}

export function choose(input: DecideInput, state: State): Chosen {
  const { ledger } = state
  if (ledger.deletion !== null) return deletion(input, state)
  if (ledger.pause !== null) return pausedAs(input, state)
  const word = ledger.requests.find(request => request.kind !== 'sync')
  if (word !== undefined) return asked(input, state, word)
  if (ledger.attempt !== null && ledger.attempt.verdict !== null) return afterVerdict(input, state)
  const pinned = keepPin(state, input)
  if (pinned.ledger.pin !== null) {
    const dropped = droppedTrying(pinned, 'pinned', input.now)
    return stay(dropped, 'T5', { kind: 'pinned', to: pinned.ledger.pin.to })
  }
  return forward(input, pinned)
}

/** Current goes on, or, before the first apply, nothing is touched. */
function stay(state: State, row: ChooseRow, why: Why, more: Partial<Chosen> = {}): Chosen {
  return { state, row, run: state.ledger.current?.release ?? 'leave', preflight: null, why, waves: true, wakeAt: null, ...more }
}

// -- T1, T2 --

function deletion({ app, observed, releases, now }: DecideInput, state: State): Chosen {
  const next = abandoned(state, 'the application is deleted', now)
  const { ledger } = next
  const isEnding = ledger.deletion?.cascade !== false && ledger.deletion?.told !== true
  const stage = isEnding ? deletionStage({ app, ledger, releases, observed, now }) : { kind: 'end' as const }
  const message = stage.kind === 'end' || stage.kind === 'letGo' ? '' : stage.message
  const why: Why = { kind: 'deleting', message, isStuck: stage.kind === 'stuck', asks: stage.kind === 'asks' }
  const wakeAt = stage.kind === 'waits' && stage.until > 0 ? stage.until : null
  return { ...stay(stage.kind === 'letGo' ? lettingGo(next) : next, 'T1', why, { wakeAt }), run: 'delete' }
}

/** All that was to end has; what is left was to stay. */
function lettingGo(state: State): State {
  const { deletion } = state.ledger
  return deletion === null ? state : withLedger(state, { ...state.ledger, deletion: { ...deletion, cascade: false } })
}

function pausedAs(input: DecideInput, state: State): Chosen {
  const free: State = { ended: [], ledger: { ...state.ledger, pause: null } }
  return stay(state, 'T2', { kind: 'paused', would: choose(input, free).why })
}

// -- T3 --

function asked(input: DecideInput, state: State, word: Exclude<Request, { kind: 'sync' }>): Chosen {
  const release = known(word.release!, state.ledger, input)
  const rest = state.ledger.requests.filter(request => request.kind === 'sync')
  const cleared = droppedTrying(
    withLedger(state, { ...state.ledger, requests: rest }),
    `superseded by a ${word.kind} of ${word.by.name}`,
    input.now,
  )
  if (release === null) return stay(cleared, 'T3', { kind: 'current' })
  return word.kind === 'rollback' ? rollback(input, cleared, word, release) : retry(input, cleared, word, release)
}

function rollback(input: DecideInput, state: State, word: Request, release: Release): Chosen {
  const candidate = input.candidate?.kind === 'release' ? input.candidate.release.id : null
  const pin = { to: release.id, left: state.ledger.current?.release ?? null, candidate, by: word.by, at: word.at }
  const lifted = withLedger(state, { ...unmarked(state.ledger, release.id), pin })
  const next = started(input, lifted, release, { cause: 'rollback', mode: 'rollback', by: word.by, fresh: false })
  return stay(next, 'T3', { kind: 'asked', request: 'rollback', release: release.id })
}

/** Of current: at once, with fresh pods and Jobs. */
function retry(input: DecideInput, state: State, word: Request, release: Release): Chosen {
  const lifted = withLedger(state, { ...unmarked(state.ledger, release.id), pin: null })
  const next = started(input, lifted, release, { cause: 'retry', mode: 'sync', by: word.by, fresh: true })
  return stay(next, 'T3', { kind: 'asked', request: 'retry', release: release.id })
}

function unmarked(ledger: Ledger, release: ReleaseId): Ledger {
  const { [release]: _lifted, ...marks } = ledger.marks
  return { ...ledger, marks }
}

type Start = Pick<Attempt, 'cause' | 'mode' | 'by'> & { readonly fresh: boolean }

function started(input: DecideInput, state: State, release: Release, { cause, mode, by, fresh }: Start): State {
  const revision = state.ledger.releases[release.id]?.revision ?? null
  const trial = tried(state, { release: release.id, revision, cause, mode, by, prune: null }, input.now)
  return begun(trial.state, { ...trial.attempt, ...occasionOf(input, state.ledger, release) }, release, input.now, fresh)
}

// -- T4 --

function afterVerdict(input: DecideInput, state: State): Chosen {
  const { attempt } = state.ledger
  const good = goodToRun(state.ledger, input)
  const target = input.app.rollout.onFailure === 'RollBack' ? good : null
  const isGoingBack = attempt!.outcome === null && target !== null && barrierFor(input, state.ledger) === null
  const candidate = input.candidate?.kind === 'release' ? input.candidate.release.id : null
  const beside = isGoingBack && candidate === target.release ? null : forward(input, state)
  if (beside !== null && beside.state.ledger.attempt?.number !== attempt!.number) return beside
  const based = beside?.state ?? droppedTrying(state, 'the release gone back to is the newest', input.now)
  return { ...fallBack(input, based, beside?.why ?? null), preflight: beside?.preflight ?? null, wakeAt: beside?.wakeAt ?? null }
}

function barrierFor(input: DecideInput, ledger: Ledger) {
  const good = goodToRun(ledger, input)
  return good === null || good.release === ledger.current?.release ? null : barrier(input, ledger, good)
}

/** The good one, if there is one, policy says so and no barrier stands between; else current, as Failed. */
function fallBack(input: DecideInput, state: State, beside: Why | null): Chosen {
  const { ledger } = state
  const attempt = ledger.attempt!
  const good = goodToRun(ledger, input)
  if (good !== null && good.release === ledger.current?.release) return there(state, good.release, beside, input.now)
  const hook = barrierFor(input, ledger)
  const isHeld = input.app.rollout.onFailure === 'Hold'
  if (good !== null && !isHeld && hook === null && attempt.mode !== 'adopt') {
    const number = ledger.releases[good.release]?.number ?? 0
    return stay(turnedBack(state, good.release, `rolling back to r${number}`, input.now), 'T4', {
      kind: 'goingBack',
      to: good.release,
      beside,
    })
  }
  const because = good === null ? 'nothingGood' : isHeld ? 'hold' : 'barrier'
  const next =
    attempt.outcome === null
      ? withAttempt(state, settled(attempt, 'Failed', failedText(attempt, because, hook?.key ?? ''), input.now))
      : state
  return stay(next, 'T4', { kind: 'failed', because, hook: hook?.key ?? '', beside }, { waves: false })
}

function there(state: State, to: ReleaseId, beside: Why | null, now: number): Chosen {
  const attempt = state.ledger.attempt!
  if (isRollingBack(attempt)) return stay(state, 'T4', { kind: 'goingBack', to, beside })
  if (attempt.outcome === 'RolledBack') return stay(state, 'T4', { kind: 'wentBack', to, beside })
  const next =
    attempt.outcome === null ? withAttempt(state, settled(attempt, 'Failed', verdictText(attempt.verdict!), now)) : state
  return stay(next, 'T4', { kind: 'failed', because: 'rollbackFailed', hook: '', beside }, { waves: false })
}

function failedText(attempt: Attempt, because: string, hook: string): string {
  const cause = attempt.verdict === null ? '' : verdictText(attempt.verdict)
  if (because === 'hold') return `${cause}; told to hold`
  if (because === 'barrier')
    return `${cause}; ${hook} has changed data, and none of the old pods is left: going back needs your word`
  return `${cause}; there is no good release to go back to`
}

// -- T5 --

/** A pin ends with a candidate other than the two it was set against; a rejection ends nothing. */
function keepPin(state: State, { candidate }: DecideInput): State {
  const { pin } = state.ledger
  if (pin === null || candidate?.kind !== 'release') return state
  const id = candidate.release.id
  return id === pin.left || id === pin.candidate ? state : withLedger(state, { ...state.ledger, pin: null })
}

// -- T6 to T10 --

/** A sync of some objects that a person asked for comes before what Git has. */
function forward(input: DecideInput, state: State): Chosen {
  const partial = partialSync(input, state.ledger)
  if (partial === null) return newest(input, state)
  const { release } = partial.candidate
  if (release.id === state.ledger.current?.release) return newest(input, withoutSyncs(state, release.id))
  return newest({ ...input, candidate: partial.candidate }, state)
}

function partialSync(input: DecideInput, ledger: Ledger): { readonly candidate: Extract<Candidate, { kind: 'release' }> } | null {
  const request = ledger.requests.findLast(one => one.kind === 'sync' && one.selectors !== undefined)
  const release = request?.release == null ? null : known(request.release, ledger, input)
  const revision = release === null ? undefined : ledger.releases[release.id]?.revision
  return release === null || revision === undefined ? null : { candidate: { kind: 'release', revision, release, stale: null } }
}

function newest(input: DecideInput, state: State): Chosen {
  const { candidate } = input
  if (candidate === null) return stay(state, 'T8', { kind: 'rendering' })
  if (candidate.kind === 'rejection') return rejected(input, state, candidate)
  const { ledger } = state
  const id = candidate.release.id
  const mark = ledger.marks[id]
  const record = ledger.preflight?.release === id ? ledger.preflight : null
  const isCurrent = id === ledger.current?.release
  if (!isCurrent && record !== null && record.failures > 0) return refused(input, state, candidate.release)
  if (mark !== undefined && (mark.kind === 'bad' || input.now < mark.dueAt)) {
    const dropped = droppedTrying(state, 'held back: judged before', input.now)
    return stay(dropped, 'T7', { kind: 'heldBack', release: id, mark }, { wakeAt: mark.kind === 'bad' ? null : mark.dueAt })
  }
  if (isCurrent && !isDueAgain(ledger, id)) return already(input, state, candidate.release)
  if (isCurrent && record !== null && record.failures > 0) return refused(input, state, candidate.release)
  const waiting = waitsFor(input, ledger, id)
  if (waiting !== null)
    return stay(droppedTrying(state, 'waiting', input.now), 'T9', waiting, {
      wakeAt: waiting.kind === 'waiting' && waiting.until > 0 ? waiting.until : null,
    })
  return goes(input, state, candidate.release)
}

function rejected(input: DecideInput, state: State, candidate: Extract<DecideInput['candidate'], { kind: 'rejection' }>): Chosen {
  const { message } = candidate.rejection
  const trial = tried(
    state,
    { release: null, revision: candidate.revision, cause: 'commit', mode: 'sync', by: byGit, prune: null },
    input.now,
  )
  const held = heldAs(trial.state, trial.attempt, 'Rendering', message, input.now)
  return stay(held, 'T6', { kind: 'held', by: 'rendering', message, retryAt: 0 })
}

const byGit = { kind: 'git', name: 'git' } as const
const bySlipway = { kind: 'slipway', name: 'slipway' } as const

/** Provisional: the same attempt goes on when its cause is gone. */
function heldAs(state: State, attempt: Attempt, step: 'Rendering' | 'Preflight', message: string, now: number): State {
  if (attempt.outcome === 'Held' && attempt.message === message) return state
  return withLedger(state, { ...state.ledger, trying: { ...moved(attempt, { name: step }, message, now), outcome: 'Held' } })
}

/** Asked again by itself, from 5 s to 5 min. */
function refused(input: DecideInput, state: State, release: Release): Chosen {
  const record = state.ledger.preflight!
  const trial = tried(state, trialOf(input, state.ledger, release.id), input.now)
  const held = heldAs(trial.state, trial.attempt, 'Preflight', record.message, input.now)
  const isDue = record.state === 'refused' && record.retryAt <= input.now
  const preflight = { release: release.id, round: isDue ? record.round + 1 : record.round }
  const why: Why = { kind: 'held', by: 'preflight', message: record.message, retryAt: record.retryAt }
  return stay(held, 'T6', why, {
    preflight,
    wakeAt: record.state === 'refused' && !isDue ? record.retryAt : input.now + askAgainMs,
  })
}

/** Failed by its surroundings, and its time has come. */
function isDueAgain(ledger: Ledger, id: ReleaseId): boolean {
  const attempt = ledger.attempt
  return ledger.marks[id] !== undefined && attempt?.outcome === 'Failed' && attempt.release === id
}

/** T8. Another release's attempt that is over: this one is adopted. */
function already(input: DecideInput, state: State, release: Release): Chosen {
  const cleared = droppedTrying(withoutSyncs(state, release.id), 'the newest content runs already', input.now)
  const { attempt } = cleared.ledger
  if (attempt === null || attempt.outcome === null || attempt.release === release.id)
    return stay(cleared, 'T8', { kind: 'current', ...windowsIn(input) })
  const revision = input.candidate?.revision ?? null
  const trial = tried(
    cleared,
    { release: release.id, revision, cause: 'commit', mode: 'adopt', by: byGit, prune: null },
    input.now,
  )
  return stay(begun(trial.state, trial.attempt, release, input.now, false), 'T8', { kind: 'current' })
}

function windowsIn({ app, gates = [] }: DecideInput): { readonly windows?: readonly Gate[] } {
  const windows = app.sync.selfHeal ? gates.filter(({ kind }) => kind === 'window') : []
  return windows.length === 0 ? {} : { windows }
}

function withoutSyncs(state: State, release: ReleaseId): State {
  const requests = state.ledger.requests.filter(request => request.kind !== 'sync' || request.release !== release)
  return requests.length === state.ledger.requests.length ? state : withLedger(state, { ...state.ledger, requests })
}

function syncFor(ledger: Ledger, release: ReleaseId): Extract<Request, { kind: 'sync' }> | null {
  return (
    (ledger.requests.findLast(request => request.kind === 'sync' && request.release === release) as Extract<
      Request,
      { kind: 'sync' }
    > | null) ?? null
  )
}

/** T9. */
function waitsFor({ app, gates = [] }: DecideInput, ledger: Ledger, release: ReleaseId): Why | null {
  const isAsked = syncFor(ledger, release)?.by.kind === 'user'
  if (!app.sync.automated && syncFor(ledger, release) === null)
    return { kind: 'waiting', for: 'sync', message: 'waiting for you', until: 0, gates: gates.filter(gate => !gate.passesAsked) }
  const closed = gates.filter(gate => !(isAsked && gate.passesAsked))
  const [first] = closed
  if (first === undefined) return null
  // The last to open by itself; one of which that is not known is told by what it waits for.
  const until = closed.some(gate => gate.until === 0) ? 0 : Math.max(...closed.map(gate => gate.until))
  return { kind: 'waiting', for: first.kind, message: closed.map(gate => gate.message).join('; and for '), until, gates: closed }
}

function trialOf(input: DecideInput, ledger: Ledger, release: ReleaseId) {
  const request = syncFor(ledger, release)
  const isAgain = ledger.marks[release] !== undefined
  const cause =
    request === null
      ? isAgain
        ? ('surroundings' as const)
        : ('commit' as const)
      : request.fresh
        ? ('retry' as const)
        : ('sync' as const)
  const by = request?.by ?? (isAgain ? bySlipway : byGit)
  // Observed as it is before it was taken over: it runs already, and what its hooks do was done.
  const isThere = ledger.current === null && ledger.seen === release
  const mode = request?.selectors !== undefined ? ('partial' as const) : isThere ? ('adopt' as const) : ('sync' as const)
  return { release, revision: input.candidate?.revision ?? null, cause, mode, by, prune: request?.prune ?? null }
}

/** T10. */
function goes(input: DecideInput, state: State, release: Release): Chosen {
  const record = state.ledger.preflight
  const isOurs = record?.release === release.id && record.state !== 'spent'
  const trial = tried(state, trialOf(input, state.ledger, release.id), input.now)
  if (!isOurs || record.state !== 'passed') {
    const round = isOurs ? record.round : (record?.round ?? 0) + 1
    const attempt = { ...moved(trial.attempt, { name: 'Preflight' }, 'checking whether it can run', input.now), outcome: null }
    const next = withLedger(trial.state, { ...trial.state.ledger, trying: attempt })
    const waves = release.id === next.ledger.current?.release
    return stay(
      next,
      'T10',
      { kind: 'preflight', release: release.id },
      { preflight: { release: release.id, round }, waves, wakeAt: input.now + askAgainMs },
    )
  }
  const hook = runningHook(input, state.ledger)
  if (hook !== null)
    return stay(trial.state, 'T10', { kind: 'hookFirst', release: release.id, hook }, { waves: false, wakeAt: null })
  return begins(input, trial.state, trial.attempt, release)
}

function begins(input: DecideInput, state: State, attempt: Attempt, release: Release): Chosen {
  const request = syncFor(state.ledger, release.id)
  const isAgain = state.ledger.current?.release === release.id
  const stamped = {
    ...attempt,
    ...occasionOf(input, state.ledger, release, request),
    times: { ...attempt.times, preflighted: attempt.times.preflighted || input.now },
  }
  const next = begun(withoutSyncs(state, release.id), stamped, release, input.now, request?.fresh === true || isAgain)
  return stay(next, 'T10', { kind: 'released', release: release.id })
}

/** A hook that runs may finish within its deadline unless it is marked interruptible. */
function runningHook({ app, now }: DecideInput, ledger: Ledger): string | null {
  if (!isUnderWay(ledger.attempt) || ledger.attempt?.verdict !== null) return null
  const running = ledger.current?.hookRuns.find(
    run =>
      run.attempt === ledger.attempt?.number &&
      run.outcome === 'running' &&
      !run.interruptible &&
      now - run.startedAt < app.rollout.healthTimeoutMs,
  )
  return running?.key ?? null
}
