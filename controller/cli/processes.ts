// The processes of one machine as `slipway up` keeps them: detached, with pid and log files under the state directory.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isEnded, parentOf } from '../../runtime/proc.js'

export interface Layout {
  readonly state: string
  readonly keys: string
  readonly run: string
  readonly logs: string
  readonly nats: string
  readonly runtime: string
  readonly controller: string
}

export function layoutOf(state: string): Layout {
  const at = (name: string) => join(state, name)
  return {
    state,
    keys: at('keys'),
    run: at('run'),
    logs: at('log'),
    nats: at('nats'),
    runtime: at('runtime'),
    controller: at('controller'),
  }
}

export function makeLayout(layout: Layout): void {
  for (const dir of Object.values(layout)) mkdirSync(dir, { recursive: true, mode: 0o700 })
}

export interface Kept {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** Starts it under its keeper (`runtime/keep.sh`) unless keeper or process live already. */
export function keep(layout: Layout, keeper: string, kept: Kept): 'running' | 'started' {
  if (keeperPid(layout, kept.name) > 0 || pidOf(layout, kept.name) > 0) return 'running'
  const log = logFile(layout, kept.name)
  const out = openSync(log, 'a', 0o600)
  const child = spawn('/bin/sh', [keeper, pidFile(layout, kept.name), log, kept.command, ...kept.args], {
    detached: true,
    stdio: ['ignore', out, out],
    env: { ...kept.env, [keptVariable]: pidFile(layout, kept.name) },
  })
  closeSync(out)
  child.unref()
  writeFileSync(keeperFile(layout, kept.name), String(child.pid ?? 0), { mode: 0o600 })
  return 'started'
}

/** Ends keeper first, then the process by SIGTERM; SIGKILL after `graceMs`. True if there was one. */
export async function end(layout: Layout, name: string, graceMs: number): Promise<boolean> {
  const keeper = keeperPid(layout, name)
  if (keeper > 0) process.kill(keeper, 'SIGTERM')
  await ended(keeper, 2000)
  const pid = pidOf(layout, name)
  if (pid > 0) process.kill(pid, 'SIGTERM')
  if (!(await ended(pid, graceMs))) process.kill(pid, 'SIGKILL')
  rmSync(pidFile(layout, name), { force: true })
  rmSync(keeperFile(layout, name), { force: true })
  return pid > 0
}

/** The living process's pid; 0 where there is none. */
export function pidOf(layout: Layout, name: string): number {
  const file = pidFile(layout, name)
  return isBroken(file) ? firstOf(file, isWhatIsKept) : livingPid(file, file)
}

/** What the keeper calls itself is not what it keeps; one without words begins or ends just now. */
function isWhatIsKept(words: readonly string[]): boolean {
  const [program = ''] = words
  return program !== '' && !isKeeper(words) && !/(^|\/)(sleep|date)$/.test(program)
}

/** It is there, and holds no number: the keeper waits for what it started all the same. */
function isBroken(file: string): boolean {
  try {
    return !/^\d+\s*$/.test(readFileSync(file, 'utf8'))
  } catch {
    return false
  }
}

/** It lives, or will be started again. */
export function isKept(layout: Layout, name: string): boolean {
  return pidOf(layout, name) > 0 || keeperPid(layout, name) > 0
}

export function logFile(layout: Layout, name: string): string {
  return join(layout.logs, `${name}.log`)
}

/** The last lines of a process's log, for an error that says why it did not start. */
export function lastLines(layout: Layout, name: string, count: number): string {
  const file = logFile(layout, name)
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n') : ''
}

function pidFile(layout: Layout, name: string): string {
  return join(layout.run, `${name}.pid`)
}

function keeperFile(layout: Layout, name: string): string {
  return join(layout.run, `${name}.keeper.pid`)
}

function keeperPid(layout: Layout, name: string): number {
  const noted = livingPid(keeperFile(layout, name), pidFile(layout, name))
  return noted > 0 ? noted : firstOf(pidFile(layout, name), isKeeper)
}

function isKeeper(words: readonly string[]): boolean {
  return /\/keep\.sh$/.test(words[1] ?? '')
}

/** One that is noted nowhere: after a boot, on a full disk, or in a file that was broken. What it forked (a shell, a render) has its words. */
function firstOf(kept: string, isMeant: (words: readonly string[]) => boolean): number {
  const found = readdirSync('/proc')
    .map(Number)
    .filter(pid => pid > 0 && isOurs(pid, kept) && isMeant(wordsOf(pid)) && !isEnded(pid))
  return found.find(pid => !found.includes(parentOf(pid))) ?? 0
}

function isOurs(pid: number, kept: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${keptVariable}=${kept}`)
  } catch {
    return false
  }
}

function wordsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** Tells keeper and process from whoever has their number after a reboot; no clock has a say in it. */
const keptVariable = 'SLIPWAY_KEPT'

function livingPid(file: string, kept: string): number {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return pid > 0 && !isEnded(pid) && isOurs(pid, kept) ? pid : 0
  } catch {
    return 0
  }
}

async function ended(pid: number, withinMs: number): Promise<boolean> {
  for (let waited = 0; pid > 0 && !isEnded(pid); waited += 50) {
    if (waited >= withinMs) return false
    await delay(50)
  }
  return true
}
