// Names of one node: answered here; by a process of its own while this one does not live or too much is asked; the same sockets for both.
import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { failpoint } from '../../failpoint.js'
import { workedMs } from '../../proc.js'
import { stillRuns } from '../detached.js'
import { count, isCalm, type LoadLimits, loadLimits, quiet, type Worked } from './load.js'
import { answering, endAll, startHolder, tellToLeave } from './process.js'
import { createResponder, type Responder } from './responder.js'
import { bindUdp, descriptorsOf, listenTcp } from './sockets.js'
import { machineResolvers, noZone, parseZone, watched } from './watched.js'
import type { Zone } from './zone.js'

const PORT = 53
/** hold.sh hears none for three to six seconds before it thinks that we hang. */
const BEAT_EVERY_MS = 1_000
/** Who was told to leave has let go of its port by then, as a rule within a millisecond: so long nobody listens there. */
const LEAVING_LIMIT_MS = 5_000
const TELL_AGAIN_MS = 200

export interface NamesOptions {
  readonly directory: string
  /** The Node that answers when we do not. */
  readonly program: string
  readonly address: string
  readonly log: (message: string, facts: Readonly<Record<string, unknown>>) => void
  readonly limits?: LoadLimits
}

/** We answer, and the shell keeps the sockets; null while there is none. */
interface Held {
  readonly by: 'us'
  readonly responder: Responder
  readonly holder: ChildProcess | null
}

/** Much is asked: a process of its own answers. */
interface Given {
  readonly by: 'another'
  /** The shell's, which begins it again when it fails. */
  readonly pid: number
  readonly since: Worked
}

export type Names = ReturnType<typeof createNames>

/** Until `ending` is aborted; then a process of its own answers, until the next one starts. */
export function createNames({ directory, program, address, log, limits = loadLimits }: NamesOptions, ending: AbortSignal) {
  const zoneFile = zoneFileIn(directory)
  const places = { program, zoneFile, logFile: join(directory, 'names.log'), address }
  let zone: Zone = watched(zoneFile, parseZone, noZone)()
  let state: Held | Given | null = null
  let starting: Promise<void> | null = null
  let second = quiet
  const beats = setInterval(look, BEAT_EVERY_MS).unref()
  ending.addEventListener('abort', letGo, { once: true })

  /** Whoever answered before goes on until we do. Throws when the port is somebody else's. */
  async function begin(signal: AbortSignal): Promise<void> {
    ending.throwIfAborted()
    const responder = state?.by === 'us' ? state.responder : await listen(signal)
    state = { by: 'us', responder, holder: null }
    const holder = await startHolder(places, descriptorsOf(address, PORT))
    state = { by: 'us', responder, holder }
    beat(holder)
    tellToLeave(zoneFile, holder.pid ?? null)
    if (ending.aborted) letGo()
  }

  async function listen(signal: AbortSignal): Promise<Responder> {
    const responder = createResponder({
      zone: () => zone,
      resolvers: machineResolvers(address),
      limits: { connections: 64, forwarded: 64 },
      admit,
      crowded: () => setImmediate(tooMuch, 'too many connections, or questions that others are asked'),
    })
    try {
      responder.serveUdp(await unlessTaken(() => bindUdp(address, PORT), signal))
      responder.serveTcp(await unlessTaken(() => listenTcp(address, PORT), signal))
      return responder
    } catch (error) {
      responder.close()
      throw error
    }
  }

  /** Those of ours that have it let go of it; others do not. */
  async function unlessTaken<T>(take: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const began = performance.now()
    let toldAt = Number.NEGATIVE_INFINITY
    while (true) {
      const taken = await take().catch((error: NodeJS.ErrnoException) => error)
      if (!(taken instanceof Error)) return taken
      const now = performance.now()
      if (taken.code !== 'EADDRINUSE' || now - began > LEAVING_LIMIT_MS) throw refused(taken)
      if (now - toldAt > TELL_AGAIN_MS && tellToLeave(zoneFile, null) === 0 && toldAt < began) throw refused(taken)
      if (now - toldAt > TELL_AGAIN_MS) toldAt = performance.now()
      await nextTurn(undefined, { signal })
    }
  }

  function refused(cause: NodeJS.ErrnoException): Error {
    const why = cause.code === 'EADDRINUSE' ? 'another process listens there; end it' : cause.message
    return new Error(`names cannot be answered on ${address}:${PORT}: ${why}`, { cause })
  }

  function admit(): boolean {
    const counted = count(second, performance.now(), limits)
    second = counted.second
    // In the next turn: what was read together with this one is answered first.
    if (counted.give) setImmediate(tooMuch, `${limits.questions} questions within a second`)
    return counted.answer
  }

  function tooMuch(what: string): void {
    if (state?.by !== 'us') return
    const { responder, holder } = state
    if (holder === null) return
    holder.stdin?.end()
    responder.close()
    state = { by: 'another', pid: holder.pid ?? 0, since: { at: performance.now(), workedMs: 0 } }
    log('names answered by a process of their own: much is asked', { what })
  }

  /** What we were asked we answer; what comes from now on is answered by the other one as well. */
  function letGo(): void {
    clearInterval(beats)
    if (state?.by !== 'us') return
    state.holder?.stdin?.end()
    void state.responder.leave(0)
    state = null
  }

  function look(): void {
    if (state?.by === 'us') beat(state.holder)
    else if (state?.by === 'another') void takeBackWhenCalm(state)
  }

  async function takeBackWhenCalm(given: Given): Promise<void> {
    if (starting !== null || performance.now() - given.since.at < limits.calmMs) return
    const now = { at: performance.now(), workedMs: answering(zoneFile).reduce((sum, pid) => sum + workedMs(pid), 0) }
    state = { ...given, since: now }
    if (!isCalm(given.since, now, limits)) return
    await start(ending).then(
      () => log('names answered by the runtime again', {}),
      error => log('names not taken back yet', { error: String(error) }),
    )
  }

  function start(signal: AbortSignal): Promise<void> {
    starting ??= begin(signal).finally(() => {
      starting = null
    })
    return starting
  }

  return {
    start,
    /** By whom does not matter. */
    answers(): boolean {
      if (state?.by === 'us') return state.holder?.exitCode === null && state.holder.signalCode === null
      return state !== null && stillRuns(state.pid, zoneFile)
    },
    /** In effect with the next question. */
    publish(next: Zone): void {
      const text = JSON.stringify(next)
      if (!existsSync(zoneFile) || readFileSync(zoneFile, 'utf8') !== text) {
        writeFileSync(`${zoneFile}.new`, text, { mode: 0o600 })
        failpoint('runtime.names.published.before')
        renameSync(`${zoneFile}.new`, zoneFile)
        failpoint('runtime.names.published')
      }
      zone = next
    },
    end(): void {
      clearInterval(beats)
      endNames(directory)
      if (state?.by === 'us') state.responder.close()
      state = null
    },
  }
}

/** Whoever answers there, and whoever would. */
export function endNames(directory: string): void {
  endAll(zoneFileIn(directory))
}

function zoneFileIn(directory: string): string {
  return join(directory, 'zone.json')
}

/** One that does not listen (it is stopped) gets no heap of them. */
function beat(holder: ChildProcess | null): void {
  if (holder?.stdin?.writableLength === 0) holder.stdin.write('\n')
}
