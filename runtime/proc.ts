// What Linux tells about a process by its number (/proc/PID/stat, proc(5)).
import { readFileSync } from 'node:fs'

/** The fields behind the command's name, which may hold anything: state, parent, group, session, ...; empty where it is gone. */
export function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

/** Gone, or a zombie that its parent has not heard of yet. */
export function isEnded(pid: number): boolean {
  return ['Z', 'X', undefined].includes(statOf(pid)[0])
}

export function parentOf(pid: number): number {
  return Number(statOf(pid)[1] ?? 0)
}

export function sessionOf(pid: number): number {
  return Number(statOf(pid)[3] ?? 0)
}

/** Processor time so far, user's and system's, ms: in hundredths of a second wherever Linux runs (USER_HZ). 0 when it ended. */
export function workedMs(pid: number): number {
  const fields = statOf(pid)
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10
}
