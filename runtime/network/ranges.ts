// The ranges of an instance: chosen once, around what everybody else on the machine and its engine has, and made its own before another
// instance chooses.
import { join } from 'node:path'
import { alone } from '../alone.js'
import { chooseRange, formatIp, formatRange, parseRange, type Routed, rangeSize } from './addresses.js'
import { type Book, beginBook, type Ranges, readBook } from './book.js'
import { ensureServiceBridge, routes } from './host.js'
import { type FoundNetwork, type NetworkEngine, type NewNetwork, servicesLabel } from './types.js'

export interface RangePlaces {
  readonly stateDir: string
  readonly docker: NetworkEngine
  /** The engine's network of the pods, its bridge, and the bridge of the Services. */
  readonly network: string
  readonly podBridge: string
  readonly serviceBridge: string
  /** Asked for where nothing is chosen yet. */
  readonly wanted: Ranges
  /** What was found broken on the disk, and what was done. */
  readonly warn: (fault: string) => void
}

/**
 * The book of this instance with its network and its Service bridge there. Throws where a range with addresses in use is somebody else's
 * by now, or where none is free. `waiting` is called when another instance of this machine is at it.
 */
export async function ownRanges(places: RangePlaces, waiting: () => void, signal: AbortSignal): Promise<Book> {
  const release = await alone('slipway address ranges', waiting, signal)
  try {
    return await owned(places)
  } finally {
    release()
  }
}

async function owned(places: RangePlaces): Promise<Book> {
  const path = join(places.stateDir, 'addresses.json')
  const existing = await places.docker.network(places.network)
  const { book, fault } = readBook(path)
  if (fault !== '') places.warn(fault)
  const taken = await takenBy(places)
  if (book !== null && !book.isBlank()) return restored(places, book, existing, taken)
  const first = book?.ranges ?? places.wanted
  const ranges = await chosen({ ...places, wanted: first }, existing, taken)
  await ensureServiceBridge(places.serviceBridge, ranges.services)
  const isSame = book !== null && formatRange(book.ranges.pods) === formatRange(ranges.pods)
  if (book !== null && isSame && formatRange(book.ranges.services) === formatRange(ranges.services)) return book
  return beginBook(path, ranges)
}

/** What was chosen, where pods and Services have addresses of it: it cannot be another. */
async function restored(places: RangePlaces, book: Book, existing: FoundNetwork | null, taken: readonly Routed[]): Promise<Book> {
  const { network, docker, serviceBridge, stateDir } = places
  const { pods, services } = book.ranges
  const way = `end what has it; or end this instance's pods, remove ${join(stateDir, 'addresses.json')} with its copy and start again: others are chosen then`
  if (existing !== null && formatRange(parseRange(existing.subnet)) !== formatRange(pods))
    throw new Error(`network ${network} has ${existing.subnet}, not ${formatRange(pods)}: end its containers, then remove it`)
  // One that is wider gives way to ours; the very same would be shared, and with it every address.
  const foreign = taken.find(({ range, device }) => device !== '' && formatRange(range) === formatRange(services))
  if (foreign !== undefined)
    throw new Error(`${formatRange(services)}, the Services' range of this instance, is on ${foreign.device} now: ${way}`)
  if (existing === null && !(await docker.createNetwork(newNetwork(places, book.ranges))))
    throw new Error(`${formatRange(pods)}, the pods' range of this instance, is another network's of the engine now: ${way}`)
  await ensureServiceBridge(serviceBridge, services)
  return book
}

/** With the network made, which is how its range becomes ours: another engine or a person may be faster. */
async function chosen(places: RangePlaces, existing: FoundNetwork | null, taken: readonly Routed[]): Promise<Ranges> {
  if (existing !== null) return rangesAround(places.wanted, existing, taken)
  for (let more = taken; ; ) {
    const ranges = rangesAround(places.wanted, null, more)
    if (await places.docker.createNetwork(newNetwork(places, ranges))) return ranges
    more = [...more, { range: ranges.pods, device: '' }]
  }
}

/**
 * Those wanted, or the next free ones. `existing`: a network that is there already, when the book was lost: its range stays, and the
 * Services keep theirs where its label says which. Throws when nothing is free. Pure.
 */
export function rangesAround(wanted: Ranges, existing: FoundNetwork | null, taken: readonly Routed[]): Ranges {
  const others = taken.map(({ range }) => range)
  if (existing === null) {
    const services = chooseRange(wanted.services, [...others, wanted.pods])
    return { services, pods: chooseRange(wanted.pods, [...others, services]) }
  }
  const pods = parseRange(existing.subnet)
  const former = existing.services === '' ? wanted.services : parseRange(existing.services)
  return { services: chooseRange(former, [...others, pods]), pods }
}

/** All but what this instance has itself; without a device: networks of the engine, some of which this machine does not route now. */
async function takenBy({ docker, network, podBridge, serviceBridge }: RangePlaces): Promise<readonly Routed[]> {
  const own = await docker.network(network)
  const ours = new Set(own === null ? [] : [own.subnet, own.services])
  const engines = (await docker.ranges())
    .filter(range => !ours.has(range))
    .map(range => ({ range: parseRange(range), device: '' }))
  const routed = (await routes()).filter(({ device }) => device !== podBridge && device !== serviceBridge)
  return [...routed, ...engines]
}

function newNetwork({ network, podBridge }: RangePlaces, { pods, services }: Ranges): NewNetwork {
  const upper = formatRange({ first: pods.first + rangeSize(pods) / 2, prefix: pods.prefix + 1 })
  const labels = { 'slipway.dev/network': 'pods', [servicesLabel]: formatRange(services) }
  return {
    name: network,
    bridge: podBridge,
    subnet: formatRange(pods),
    gateway: formatIp(pods.first + 1),
    ipRange: upper,
    labels,
  }
}
