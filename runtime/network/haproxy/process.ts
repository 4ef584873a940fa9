// The load balancer as processes: one master, its worker, and workers of before a reload. Found, started, reloaded, asked, ended.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { failpoint, written } from '../../failpoint.js'
import { isEnded } from '../../proc.js'
import { findProcesses, sendSignal, stillRuns } from '../detached.js'
import type { HaproxyRunner } from '../types.js'
import {
  type Processes,
  readInfo,
  readLoads,
  readProcesses,
  readSessions,
  readSlots,
  type Session,
  type WorkerInfo,
} from './answers.js'
import { ask } from './socket.js'

export interface HaproxyPlaces {
  readonly runner: HaproxyRunner
  readonly directory: string
}

export type Haproxy = ReturnType<typeof createHaproxy>

/** Unix socket paths end at 107 bytes, and HAProxy appends `.<pid>.tmp` while it binds. */
const LONGEST_SOCKET_PATH = 92

const READY_LIMIT_MS = 15_000
const MASTER_AWAY_MS = 2_000

export function createHaproxy({ runner, directory }: HaproxyPlaces) {
  const file = join(directory, 'haproxy.cfg')
  const pidFile = join(directory, 'haproxy.pid')
  const admin = join(directory, 'admin.sock')
  const master = join(directory, 'master.sock')
  if (Buffer.byteLength(master) > LONGEST_SOCKET_PATH)
    throw new Error(`${directory}: too long for a unix socket in it; choose a state directory of at most 75 characters`)

  let known = 0

  /** The master's pid; null when none of ours runs. It writes the file anew at each reload, so what was read once is kept. */
  function pid(): number | null {
    if (stillRuns(known, file)) return known
    const written = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').trim()) : 0
    // One that starts itself anew just now, after a reload that a killed owner began, is no reason to end it and to begin another.
    known = stillRuns(written, file) ? written : 0
    return known === 0 ? null : known
  }

  /** Where the file with its pid is broken the master says it itself: nobody's connections are to end for that. */
  async function found(): Promise<number | null> {
    const noted = pid()
    if (noted !== null) return noted
    const said = await ask(master, 'show proc').then(readProcesses, () => null)
    if (said === null || !stillRuns(said.master, file)) return null
    writeFileSync(pidFile, `${said.master}\n`, { mode: 0o600 })
    return pid()
  }

  async function start(text: string, shape: string, signal: AbortSignal): Promise<void> {
    // Workers whose master was killed still listen: with them alive, connections would be shared out to both.
    endAll('SIGKILL')
    await configured(text)
    const args = ['-W', '-f', file, '-p', pidFile, '-S', `${master},mode,600`]
    const started = await runner.start(args)
    await until(
      // The master listens a moment after its worker does.
      async () => (await info())?.shape === shape && (await processes()).workers.length > 0,
      // By its number alone: a container's process has its own command line only once the engine's helper gave way to it.
      () => !isEnded(started),
      signal,
    )
  }

  /** The new worker runs and the old ones take no more connections when this resolves. */
  async function reload(text: string, shape: string, signal: AbortSignal): Promise<void> {
    await configured(text)
    const before = await processes()
    const current = pid()
    if (current === null || !sendSignal(current, 'SIGUSR2')) throw new Error('HAProxy ended while it was to be reloaded')
    failpoint('runtime.traffic.reloading')
    const isNew = (now: Processes) => now.workers.some(worker => ![...before.workers, ...before.old].includes(worker))
    await until(
      async () => isNew(await processes()) && (await info())?.shape === shape,
      async () => pid() !== null && (await processes().catch(() => before)).failedReloads <= before.failedReloads,
      signal,
    )
  }

  /** Checked before it takes the running file's place, so that a bad one is never what the next start finds. */
  async function configured(text: string): Promise<void> {
    writeFileSync(`${file}.new`, text, { mode: 0o600 })
    await runner.check(`${file}.new`).catch((cause: Error) => {
      throw new Error(`HAProxy refuses its configuration ${file}.new: ${cause.message}`, { cause })
    })
    failpoint('runtime.traffic.configured.before')
    renameSync(`${file}.new`, file)
    failpoint('runtime.traffic.configured')
  }

  async function until(
    done: () => Promise<boolean>,
    alive: () => boolean | Promise<boolean>,
    signal: AbortSignal,
  ): Promise<void> {
    const limit = performance.now() + READY_LIMIT_MS
    while (!(await done().catch(() => false))) {
      if (!(await alive()) || performance.now() > limit)
        throw new Error(`HAProxy does not run as configured ${await runner.lastWords()}`)
      await sleep(5, undefined, { signal })
    }
  }

  async function info(): Promise<WorkerInfo | null> {
    return readInfo(await ask(admin, 'show info'))
  }

  async function processes(): Promise<Processes> {
    return readProcesses(await askMaster('show proc'))
  }

  /** The master starts itself anew after a reload; for that moment nobody listens. */
  async function askMaster(command: string): Promise<string> {
    for (const limit = performance.now() + MASTER_AWAY_MS; ; await sleep(5)) {
      const answer = await ask(master, command).catch(error => error as Error)
      if (typeof answer === 'string') return answer
      if (pid() === null || performance.now() > limit) throw answer
    }
  }

  /** One of the workers, over the master. Rejects when it does not answer. */
  async function askWorker(worker: number, command: string): Promise<string> {
    const answer = await askMaster(`@!${worker} ${command}`)
    if (/^Can't find the target/.test(answer)) throw new Error(`HAProxy worker ${worker} cannot be asked: ${answer.trim()}`)
    return answer
  }

  function endAll(signal: NodeJS.Signals): void {
    for (const found of findProcesses([file])) sendSignal(found, signal)
    rmSync(pidFile, { force: true })
  }

  return {
    pid,
    found,
    start,
    reload,
    info,
    processes,
    endAll,
    remove: runner.remove,
    /** Sessions of the current worker's servers in these backends. */
    currentLoads: async (backends: readonly string[]) =>
      readLoads(await ask(admin, backends.map(backend => `show stat ${backend} 4 -1`).join('; '))),
    slots: async () => readSlots(await ask(admin, 'show servers state')),
    steer: (commands: readonly string[]) => written('runtime.traffic.steered', () => ask(admin, commands.join('; '))),
    loads: async (worker: number, backend?: string) => readLoads(await askWorker(worker, `show stat ${backend ?? '-1'} 4 -1`)),
    sessions: async (worker: number): Promise<readonly Session[]> => readSessions(await askWorker(worker, 'show sess')),
    workerInfo: async (worker: number) => readInfo(await askWorker(worker, 'show info')),
    cut: (worker: number, session: Session) => askWorker(worker, `shutdown session ${session.id}`),
    /** Pids of all that is ours, the master first. */
    pids: () => findProcesses([file]),
    adminSocket: admin,
  }
}
