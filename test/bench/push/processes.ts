// The processes of one instance and what they cost, from /proc: resident memory, and processor time over a while.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { pidOf } from './instance.js'

/** By what people call them; `names` while the runtime does not answer them itself; `keepers` are shells: they start a process again, hold sockets. */
export const parts = ['controller', 'render', 'runtime', 'names', 'nats', 'haproxy', 'keepers'] as const
export type Part = (typeof parts)[number]
type PerPart = Readonly<Record<Part, number>>

interface Process {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** Every process of the instance, render children and former HAProxy workers included. */
export function processesOf(home: string): readonly { readonly pid: number; readonly part: Part }[] {
  const all = listed()
  const [controller, runtime] = [pidOf(home, 'controller'), pidOf(home, 'runtime')]
  const isKeeper = ({ command }: Process) => command.includes(home) && /(keep|hold)\.sh/.test(command)
  // What a shell waits for with `sleep` does not name the instance.
  const keepers = new Set(all.filter(isKeeper).map(({ pid }) => pid))
  const partOf = ({ pid, parent, command }: Process): Part | null => {
    if (pid === controller) return 'controller'
    if (parent === controller) return 'render'
    if (pid === runtime) return 'runtime'
    if (keepers.has(pid) || (keepers.has(parent) && command.startsWith('sleep'))) return 'keepers'
    if (!command.includes(home)) return null
    if (command.includes('nats-server')) return 'nats'
    if (command.includes('haproxy')) return 'haproxy'
    return command.includes('/names/') ? 'names' : null
  }
  return all.flatMap(process => {
    const part = partOf(process)
    return part === null ? [] : [{ pid: process.pid, part }]
  })
}

/** MB of 2^20 bytes. Pages that processes share are counted for each of them. */
export function residentMB(home: string): PerPart {
  return summed(home, pid => Number(/^VmRSS:\s+(\d+) kB/m.exec(read(pid, 'status'))?.[1] ?? 0) / 1024)
}

/** Shared pages are divided among those that share them: what the machine really lacks. 0 where the kernel does not say. */
export function proportionalMB(home: string): PerPart {
  return summed(home, pid => Number(/^Pss:\s+(\d+) kB/m.exec(read(pid, 'smaps_rollup'))?.[1] ?? 0) / 1024)
}

/** Percent of one core over `ms`. */
export async function processorPercent(home: string, ms: number, signal: AbortSignal): Promise<PerPart> {
  const before = summed(home, ticks)
  const began = performance.now()
  await delay(ms, undefined, { signal })
  const after = summed(home, ticks)
  const seconds = (performance.now() - began) / 1000
  return eachPart(part => (Math.max(0, after[part] - before[part]) / ticksPerSecond / seconds) * 100)
}

/** Seconds of processor time so far, of children that have ended too. */
export function processorSeconds(home: string): PerPart {
  return summed(home, pid => ticks(pid) / ticksPerSecond)
}

/** USER_HZ is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** User and system time of a process and of its children that have ended, in ticks. */
function ticks(pid: number): number {
  const stat = read(pid, 'stat')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field] ?? 0), 0)
}

function summed(home: string, measure: (pid: number) => number): PerPart {
  const processes = processesOf(home)
  return eachPart(part => processes.filter(each => each.part === part).reduce((sum, { pid }) => sum + measure(pid), 0))
}

function eachPart(measure: (part: Part) => number): PerPart {
  return Object.fromEntries(parts.map(part => [part, measure(part)])) as Record<Part, number>
}

export function total(values: PerPart): number {
  return Object.values(values).reduce((sum, value) => sum + value, 0)
}

function listed(): readonly Process[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids.map(name => {
    const pid = Number(name)
    const stat = read(pid, 'stat')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0)
    return { pid, parent, command: read(pid, 'cmdline').replaceAll('\0', ' ') }
  })
}

/** '' for a process that has ended meanwhile. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
