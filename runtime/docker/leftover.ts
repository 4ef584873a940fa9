// Processes of a container that its engine lost track of: an engine that was killed while it started one comes back with the
// container as never started, its processes running, and can neither start nor stop it.
import { readdirSync, readFileSync } from 'node:fs'

/** What Docker and containerd answer to the start of such a container, each time. */
export function isLeftOver(said: string): boolean {
  return /id already in use|task \S+: already exists|container with given ID already exists/i.test(said)
}

/** Kills them; gives how many there were. None where the engine runs elsewhere: its processes are not in this machine's /proc. */
export function endLeftOver(container: string): number {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name) && groupsOf(name).includes(container))
  return pids.filter(pid => killed(Number(pid))).length
}

function groupsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  } catch {
    return ''
  }
}

function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}
