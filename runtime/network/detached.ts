// Processes that outlive the one that starts them: begun in a session of their own, found again by pid file and command line.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { isEnded } from '../proc.js'

export interface Command {
  readonly path: string
  readonly args: readonly string[]
  readonly logPath: string
}

/** Starts it and lets go of it. Resolves with its pid once it runs; rejects when there is no such program. */
export function startDetached(command: Command): Promise<number> {
  const log = openSync(command.logPath, 'a', 0o600)
  return new Promise<number>((resolve, reject) => {
    const child = spawn(command.path, [...command.args], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    })
    child.once('error', cause => reject(new Error(`${command.path} could not be started`, { cause })))
    child.once('spawn', () => resolve(child.pid ?? 0))
    child.unref()
  }).finally(() => closeSync(log))
}

/** The command line of a living process; null when there is none (a zombie has none either). */
export function commandLine(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim() || null
  } catch {
    return null
  }
}

/** A process of that number runs and is no other program than the one of this path; while it starts itself anew it shows no command line. */
export function stillRuns(pid: number, path: string): boolean {
  const line = commandLine(pid)
  return line === null ? pid > 0 && !isEnded(pid) : line.includes(path)
}

/** Living processes that have every one of these words in their command line: the pids of ours alone, as ours name our own paths. */
export function findProcesses(words: readonly string[]): readonly number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      const line = commandLine(pid)
      return pid !== process.pid && line !== null && words.every(word => line.includes(word))
    })
}

/** False when it was not there any more. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** The end of a log, for an error's text. */
export function logTail(path: string, lines = 5): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    return ''
  }
}
