// Files as values, read again only when they were replaced.
import { readFileSync, statSync } from 'node:fs'
import type { Zone } from './zone.js'

/** A file that is gone or broken leaves the last value. */
export function watched<T>(path: string, parse: (text: string) => T, first: T): () => T {
  let value = first
  let seen = ''
  return () => {
    try {
      const { mtimeMs, ino, size } = statSync(path)
      const now = `${mtimeMs} ${ino} ${size}`
      if (now !== seen) value = parse(readFileSync(path, 'utf8'))
      seen = now
    } catch {
      // The file is replaced by a rename, so this is a hand at work; the next question looks again.
    }
    return value
  }
}

export const noZone: Zone = { version: 1, domain: 'cluster.local', services: [] }

export function parseZone(text: string): Zone {
  return JSON.parse(text) as Zone
}

/** The machine's own resolvers, but for one that is us. */
export function machineResolvers(own: string): () => readonly string[] {
  const nameservers = (text: string) => [...text.matchAll(/^nameserver\s+(\S+)/gm)].flatMap(found => found[1] ?? [])
  const all = watched('/etc/resolv.conf', nameservers, [])
  return () => all().filter(resolver => resolver !== own)
}
