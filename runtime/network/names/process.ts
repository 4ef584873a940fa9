// The processes around names: the shell that keeps the sockets for the time after us, and the one that answers then. Begun, found, ended.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sessionOf } from '../../proc.js'
import { commandLine, findProcesses, sendSignal } from '../detached.js'

export interface HolderPlaces {
  /** The Node that answers when we do not. */
  readonly program: string
  readonly zoneFile: string
  readonly logFile: string
  readonly address: string
}

const main = fileURLToPath(new URL('./main.js', import.meta.url))
const script = fileURLToPath(new URL('../../../../runtime/network/names/hold.sh', import.meta.url))

/** Node before 24 says on each start that --jitless takes WebAssembly away; from 24 on it says nothing and does not know the flag. */
const withoutWasm = Number.parseInt(process.versions.node, 10) < 24 ? ['--no-expose-wasm'] : []
// 47 MB instead of 57 after 10,000 questions, of which 35 are the program's own file: the compiler and WebAssembly cost 10 MB and
// save 0.04 ms a question.
const flags = ['--jitless', ...withoutWasm, '--max-old-space-size=16', '--max-semi-space-size=1', '--v8-pool-size=0']

/** Keeps these sockets until its standard input ends or is silent for long (hold.sh). Resolves once it runs. */
export function startHolder(
  { program, zoneFile, logFile, address }: HolderPlaces,
  sockets: { readonly udp: number; readonly tcp: number },
): Promise<ChildProcess> {
  const log = openSync(logFile, 'a', 0o600)
  return new Promise<ChildProcess>((resolve, reject) => {
    const child = spawn('/bin/sh', [script, program, ...flags, main, zoneFile, address], {
      detached: true,
      stdio: ['pipe', log, log, sockets.udp, sockets.tcp],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    })
    child.once('error', cause => reject(new Error('/bin/sh could not be started', { cause })))
    child.once('spawn', () => resolve(child))
    // Its end is told by `exit`; a beat that it does not hear any more is none.
    child.stdin?.on('error', () => {})
    child.unref()
    ;(child.stdin as unknown as { unref(): void }).unref()
  }).finally(() => closeSync(log))
}

/**
 * Shells and those that answer, of this zone: all but a holder and what is of its session: also what its watcher has just begun,
 * which looks like a shell until it is another program.
 */
export function others(zoneFile: string, holder: number | null): readonly number[] {
  return findProcesses([zoneFile, '/names/main.']).filter(pid => holder === null || sessionOf(pid) !== holder)
}

/** The shells first: they would begin what has ended again. Those that answer finish what they were asked. */
export function tellToLeave(zoneFile: string, holder: number | null): number {
  const shells = others(zoneFile, holder).filter(isShell)
  for (const pid of shells) sendSignal(pid, 'SIGKILL')
  const answering = others(zoneFile, holder)
  for (const pid of answering) sendSignal(pid, isShell(pid) ? 'SIGKILL' : 'SIGTERM')
  return shells.length + answering.length
}

/** Twice, as a shell may have begun one meanwhile. */
export function endAll(zoneFile: string): void {
  for (const _ of [1, 2]) for (const pid of others(zoneFile, null)) sendSignal(pid, 'SIGKILL')
}

function isShell(pid: number): boolean {
  return commandLine(pid)?.includes('/hold.sh') ?? false
}

/** Those that answer. */
export function answering(zoneFile: string): readonly number[] {
  return others(zoneFile, null).filter(pid => !isShell(pid))
}
