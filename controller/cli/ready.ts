// Waits until what `slipway up` started serves: as long as it gets on, however slow the machine is; not on what stands still or has ended.
import { existsSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { workedMs } from '../../runtime/proc.js'
import { isKept, type Layout, lastLines, logFile, pidOf } from './processes.js'

/** Of one look at the machine; times in ms of any origin. */
export interface Look {
  readonly at: number
  /** Parts that /readyz calls not ready; null: it does not answer. */
  readonly missing: readonly string[] | null
  readonly logBytes: number
  /** Processor time of all processes, s. */
  readonly workedS: number
  /** By process: its pids so far, in their order; the last one lives, unless it is 0. */
  readonly pids: Readonly<Record<string, readonly number[]>>
  /** Processes that nobody starts again. */
  readonly over: readonly string[]
}

export interface Wait {
  readonly since: number
  /** The look at which something had got on last. */
  readonly moved: Look
}

const stillMs = 60_000
const longestMs = 600_000
/** Who has come to rest takes longer for it than `stillMs`; who starts on a machine of load 40 does not. */
const worthS = 2
const mostStarts = 4

/** The wait after this look, or why it is over. Parts of Git are no reason to wait: their repositories are not of this machine. */
export function patience(wait: Wait | null, look: Look): Wait | { readonly gaveUp: string } {
  const { since, moved } = wait ?? { since: look.at, moved: look }
  const [over] = look.over
  if (over !== undefined) return { gaveUp: `${over} has ended, and starting it again would not help` }
  const failing = Object.keys(look.pids).find(name => (look.pids[name]?.length ?? 0) > mostStarts)
  if (failing !== undefined) return { gaveUp: `${failing} was started ${mostStarts} times and ended each time` }
  if (look.at - since > longestMs) return { gaveUp: `not ready within ${longestMs / 60_000} min: ${waitsFor(look)}` }
  if (look.at - moved.at <= stillMs) return hasMoved(moved, look) ? { since, moved: look } : { since, moved }
  return { gaveUp: `nothing has moved for ${stillMs / 1000} s: ${waitsFor(look)}` }
}

function hasMoved(before: Look, now: Look): boolean {
  return waitsFor(before) !== waitsFor(now) || now.logBytes !== before.logBytes || now.workedS - before.workedS >= worthS
}

/** `waiting for nats, nodes` */
export function waitsFor({ missing }: Look): string {
  return `waiting for ${missing === null ? 'the controller to answer' : missing.join(', ')}`
}

/** The lines of `/readyz?verbose` that say what is not well. */
export function missingParts(text: string): readonly string[] {
  return [...text.matchAll(/^\[-\] (\S+)/gm)].map(([, part]) => part ?? '').filter(part => part !== 'git')
}

const names = ['nats', 'runtime', 'controller'] as const
const sayAgainMs = 10_000

/** Looks every 100 ms, and says what is waited for. Rejects with why it waits no longer, and the end of each log that tells of it. */
export async function untilReady(
  layout: Layout,
  url: string,
  tokenFile: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const began = performance.now()
  let wait: Wait | null = null
  let pids: Look['pids'] = {}
  let said = { text: '', at: began }
  while (!signal.aborted) {
    pids = withLiving(layout, pids)
    const look = lookAt(layout, pids, await missingOf(url, signal))
    if (look.missing?.length === 0 && existsSync(tokenFile)) return
    const next = patience(wait, look)
    if ('gaveUp' in next) throw new Error([next.gaveUp, ...lastWords(layout)].join('\n'))
    wait = next
    const text = waitsFor(look)
    const isDue = look.at - said.at > (text === said.text ? sayAgainMs : 1_000)
    if (isDue) say(`    ${text} (${Math.round((look.at - began) / 1000)} s)`)
    if (isDue) said = { text, at: look.at }
    await delay(100, undefined, { signal }).catch(() => {})
  }
  throw new Error('interrupted: what was started goes on')
}

async function missingOf(url: string, signal: AbortSignal): Promise<readonly string[] | null> {
  try {
    const answer = await fetch(`${url}/readyz?verbose`, { signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]) })
    return missingParts(await answer.text())
  } catch {
    return null
  }
}

function withLiving(layout: Layout, before: Look['pids']): Look['pids'] {
  const now = names.map(name => {
    const [known, pid] = [before[name] ?? [], pidOf(layout, name)]
    return [name, pid === 0 || known.includes(pid) ? known : [...known, pid]] as const
  })
  return Object.fromEntries(now)
}

function lookAt(layout: Layout, pids: Look['pids'], missing: Look['missing']): Look {
  return {
    at: performance.now(),
    missing,
    logBytes: names.reduce((sum, name) => sum + sizeOf(logFile(layout, name)), 0),
    workedS: names.reduce((sum, name) => sum + workedMs(pidOf(layout, name)) / 1000, 0),
    pids,
    over: names.filter(name => !isKept(layout, name)),
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

function lastWords(layout: Layout): readonly string[] {
  return names
    .filter(name => pidOf(layout, name) === 0)
    .map(name => `${name} is not running; ${logFile(layout, name)} ends with:\n${lastLines(layout, name, 5)}`)
}
