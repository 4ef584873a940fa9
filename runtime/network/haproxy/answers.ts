// HAProxy's answers on its sockets, read into values. Pure. Formats of 2.4 to 2.8 (doc/management.txt, section 9.3).
import type { Slot } from '../slots.js'

export interface Processes {
  /** 0 where it does not say. */
  readonly master: number
  readonly workers: readonly number[]
  /** Workers of before a reload, which live until their last connection ends. */
  readonly old: readonly number[]
  readonly failedReloads: number
}

/** `show proc` on the master's socket. */
export function readProcesses(text: string): Processes {
  const lines = text.split('\n')
  const oldFrom = lines.findIndex(line => line.startsWith('# old workers'))
  const workers = lines.flatMap((line, index) => {
    const pid = /^(\d+)\s+worker\s/.exec(line)?.[1]
    return pid === undefined ? [] : [{ pid: Number(pid), old: oldFrom >= 0 && index > oldFrom }]
  })
  return {
    master: Number(/^(\d+)\s+master\s/m.exec(text)?.[1] ?? 0),
    workers: workers.filter(worker => !worker.old).map(worker => worker.pid),
    old: workers.filter(worker => worker.old).map(worker => worker.pid),
    failedReloads: Number(/\[failed: (\d+)\]/.exec(text)?.[1] ?? 0),
  }
}

export interface WorkerInfo {
  readonly pid: number
  readonly shape: string
  /** Client connections, idle ones included; those to HAProxy's own sockets not. */
  readonly clients: number
}

/** `show info` */
export function readInfo(text: string): WorkerInfo | null {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1]
  const pid = field('Pid')
  return pid === undefined ? null : { pid: Number(pid), shape: field('description') ?? '', clients: Number(field('CurrConns')) }
}

/** `show servers state` -> backend -> its slots in order. Forced by configuration (4) is history, not state. */
export function readSlots(text: string): ReadonlyMap<string, readonly Slot[]> {
  const slots = new Map<string, Slot[]>()
  for (const line of text.split('\n')) {
    const field = line.split(' ')
    if (!/^\d+$/.test(field[0] ?? '') || field.length < 19) continue
    const slot = { ip: field[4] ?? '', port: Number(field[18]), open: (Number(field[6]) & ~4) === 0 }
    slots.set(field[1] ?? '', [...(slots.get(field[1] ?? '') ?? []), slot])
  }
  return slots
}

export interface ServerLoad {
  readonly backend: string
  readonly server: string
  readonly ip: string
  readonly sessions: number
}

/** `show stat ... 4 -1`: sessions and what is queued, by server. Columns are found by the header, as versions differ. */
export function readLoads(text: string): readonly ServerLoad[] {
  let columns: readonly string[] = []
  return text.split('\n').flatMap(line => {
    if (line.startsWith('# ')) columns = line.slice(2).split(',')
    if (line === '' || line.startsWith('#')) return []
    const values = line.split(',')
    const field = (name: string) => values[columns.indexOf(name)] ?? ''
    if (field('type') !== '2') return []
    const sessions = Number(field('scur')) + Number(field('qcur'))
    return [{ backend: field('pxname'), server: field('svname'), ip: field('addr').split(':')[0] ?? '', sessions }]
  })
}

export interface Session {
  readonly id: string
  readonly backend: string
  /** `s3`, or `<none>` while it is not decided. */
  readonly server: string
}

/** `show sess`, without those of HAProxy's own sockets. */
export function readSessions(text: string): readonly Session[] {
  return text.split('\n').flatMap(line => {
    const found = /^(0x[0-9a-f]+): .* fe=(\S+) be=(\S+) srv=(\S+) /.exec(line)
    const [, id = '', frontend = '', backend = '', server = ''] = found ?? []
    return found === null || frontend === 'GLOBAL' || frontend === 'MASTER' ? [] : [{ id, backend, server }]
  })
}
