// The names process: `node main.js ZONE-FILE ADDRESS PORT`. It reads the zone anew when the file changed, and so needs nobody to tell it.
import { readFileSync, statSync } from 'node:fs'
import { startResponder } from './responder.js'
import type { Zone } from './zone.js'

/** A file as a value, read again only when it was replaced. A file that is gone or broken leaves the last value. */
function watched<T>(path: string, parse: (text: string) => T, first: T): () => T {
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

const [zoneFile = '', address = '', port = ''] = process.argv.slice(2)
const none: Zone = { version: 1, domain: 'cluster.local', services: [] }
const zone = watched(zoneFile, text => JSON.parse(text) as Zone, none)
const nameservers = (text: string) => [...text.matchAll(/^nameserver\s+(\S+)/gm)].flatMap(found => found[1] ?? [])
const resolvers = watched('/etc/resolv.conf', nameservers, [])

process.on('SIGHUP', () => {})
void startResponder({
  address,
  port: Number(port),
  zone,
  resolvers: () => resolvers().filter(resolver => resolver !== address),
})
