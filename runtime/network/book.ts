// The addresses and node ports given out, kept on disk before anybody is told: what was given stays given over every restart.
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { failpoint } from '../failpoint.js'
import { copyBeside, readKept } from '../whole-file.js'
import { formatIp, formatRange, parseIp, parseRange, type Range, rangeSize } from './addresses.js'
import { emptyPool, giveBack, hold, type Pool, take } from './pool.js'

interface Pages {
  readonly version: 1
  readonly podRange: string
  readonly serviceRange: string
  readonly pods: Pool
  readonly services: Pool
  readonly nodePorts: Pool
}

export interface Ranges {
  readonly pods: Range
  readonly services: Range
}

/** .0.1 is the bridge's; the first addresses are left to what is put there by hand. */
const FIRST_POD = 2
/** So many containers never run on one machine, and the file stays small; the upper half of the range is the engine's own to give. */
const PODS = 8_000
/** .0.10 answers for names. */
const NAMES = 10
const FIRST_SERVICE = 16
const SERVICES = 8_000
const FIRST_NODE_PORT = 30_000
const NODE_PORTS = 2_768

export type Book = ReturnType<typeof openBook>

/** null: there is no file yet. `fault`: it was broken, and its copy is used. Throws when neither can be read. */
export function readBook(path: string): { readonly book: Book | null; readonly fault: string } {
  const { value, fault } = readKept(path, false, content => parsePages(content.toString('utf8')))
  if (value !== null) return { book: openBook(path, value), fault }
  if (fault === '') return { book: null, fault }
  throw new Error(
    `the addresses given out cannot be read (${fault}): restore the file, or end all pods and remove it and its copy`,
  )
}

/** In place of one of which nothing was given out, if there is one. */
export function beginBook(path: string, ranges: Ranges): Book {
  const pages: Pages = {
    version: 1,
    podRange: formatRange(ranges.pods),
    serviceRange: formatRange(ranges.services),
    pods: emptyPool(Math.min(PODS, rangeSize(ranges.pods) / 2 - FIRST_POD)),
    services: emptyPool(Math.min(SERVICES, rangeSize(ranges.services) - FIRST_SERVICE - 1)),
    nodePorts: emptyPool(NODE_PORTS),
  }
  write(path, pages)
  return openBook(path, pages)
}

function openBook(path: string, first: Pages) {
  let pages = first
  const podRange = parseRange(first.podRange)
  const serviceRange = parseRange(first.serviceRange)

  function turn(next: Pages): void {
    if (JSON.stringify(next) === JSON.stringify(pages)) return
    write(path, next)
    pages = next
  }

  function given(what: 'pods' | 'services' | 'nodePorts', key: string, avoid?: (number: number) => boolean): number {
    const taken = take(pages[what], key, avoid)
    if (taken === null) throw new Error(`${key}: all ${pages[what].size} ${NAMED[what]} are given out`)
    if (taken.pool !== pages[what]) turn({ ...pages, [what]: taken.pool })
    return taken.number
  }

  return {
    ranges: { pods: podRange, services: serviceRange },
    /** Nobody has an address of it. */
    isBlank: () => Object.keys({ ...pages.pods.held, ...pages.services.held }).length === 0,
    namesAddress: formatIp(serviceRange.first + NAMES),
    gateway: formatIp(podRange.first + 1),
    podAddress: (uid: string) => formatIp(podRange.first + FIRST_POD + given('pods', uid)),
    keepPodAddress: (uid: string, ip: string) =>
      turn({ ...pages, pods: hold(pages.pods, uid, parseIp(ip) - podRange.first - FIRST_POD) }),
    releasePod: (uid: string) => turn({ ...pages, pods: giveBack(pages.pods, uid) }),
    keepOnlyPods: (uids: ReadonlySet<string>) => turn({ ...pages, pods: only(pages.pods, uids) }),
    serviceAddress: (key: string) => formatIp(serviceRange.first + FIRST_SERVICE + given('services', key)),
    /**
     * `wanted`: fixed by the user; whoever had it gives it up, as two cannot (conflicts tells beforehand).
     * `inUse`: ports that somebody else listens on; they are not chosen.
     */
    nodePort(key: string, wanted: number | null, inUse: (port: number) => boolean): number {
      if (wanted === null) return FIRST_NODE_PORT + given('nodePorts', key, number => inUse(FIRST_NODE_PORT + number))
      const number = wanted - FIRST_NODE_PORT
      const inRange = number >= 0 && number < NODE_PORTS
      if (inRange && pages.nodePorts.held[key] !== number)
        turn({ ...pages, nodePorts: hold(without(pages.nodePorts, number), key, number) })
      return wanted
    },
    /** What is given out already, without giving anything. */
    heldNodePort: (key: string) => (pages.nodePorts.held[key] === undefined ? null : FIRST_NODE_PORT + pages.nodePorts.held[key]),
    /** Services that are gone: their addresses stay theirs until the range is used up. */
    keepOnly(services: ReadonlySet<string>, nodePorts: ReadonlySet<string>): void {
      turn({ ...pages, services: only(pages.services, services), nodePorts: only(pages.nodePorts, nodePorts) })
    },
  }
}

const NAMED = { pods: 'pod addresses', services: 'Service addresses', nodePorts: 'node ports' }

function only(pool: Pool, keys: ReadonlySet<string>): Pool {
  return Object.keys(pool.held).reduce((kept, key) => (keys.has(key) ? kept : giveBack(kept, key)), pool)
}

function without(pool: Pool, number: number): Pool {
  const holder = Object.keys(pool.held).find(key => pool.held[key] === number)
  return holder === undefined ? pool : giveBack(pool, holder)
}

function parsePages(text: string): Pages {
  const pages = JSON.parse(text) as Pages
  if (pages?.version !== 1) throw new Error(`version ${pages?.version} is not known`)
  return pages
}

function write(path: string, pages: Pages): void {
  const text = JSON.stringify(pages)
  const file = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  failpoint('runtime.address.kept.before')
  renameSync(`${path}.new`, path)
  failpoint('runtime.address.kept')
  copyBeside(path, Buffer.from(text))
}
