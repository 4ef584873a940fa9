// IPv4 ranges as numbers: parsing, overlap, and choosing one that collides with nothing routed on this machine. Pure.

export interface Range {
  /** The network's own address as an unsigned number. */
  readonly first: number
  readonly prefix: number
}

/** `10.211.0.5` -> 181600261. Throws for anything but four decimal octets. */
export function parseIp(text: string): number {
  const octets = text.split('.')
  const valid = octets.length === 4 && octets.every(octet => /^\d{1,3}$/.test(octet) && Number(octet) <= 255)
  if (!valid) throw new Error(`"${text}" is not an IPv4 address`)
  return octets.reduce((sum, octet) => sum * 256 + Number(octet), 0)
}

export function formatIp(address: number): string {
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.')
}

/** `10.211.0.0/16`. Bits beyond the prefix are dropped; an address alone is a /32. */
export function parseRange(text: string): Range {
  const [ip = '', bits = '32'] = text.split('/')
  const prefix = /^\d{1,2}$/.test(bits) ? Number(bits) : Number.NaN
  if (!(prefix >= 0 && prefix <= 32)) throw new Error(`"${text}" is not an IPv4 range such as 10.211.0.0/16`)
  const size = 2 ** (32 - prefix)
  return { first: Math.floor(parseIp(ip) / size) * size, prefix }
}

export function formatRange(range: Range): string {
  return `${formatIp(range.first)}/${range.prefix}`
}

export function rangeSize(range: Range): number {
  return 2 ** (32 - range.prefix)
}

export function overlap(a: Range, b: Range): boolean {
  return a.first < b.first + rangeSize(b) && b.first < a.first + rangeSize(a)
}

export function contains(range: Range, ip: string): boolean {
  const address = parseIp(ip)
  return address >= range.first && address < range.first + rangeSize(range)
}

/**
 * The wanted range, or the next free one above it in 10/8 (steps of its own size), given the ranges that are routed already.
 * Throws when nothing is free.
 */
export function chooseRange(wanted: Range, taken: readonly Range[]): Range {
  const size = rangeSize(wanted)
  const end = parseIp('10.255.255.255')
  for (let first = wanted.first; first + size - 1 <= Math.max(end, wanted.first + size - 1); first += size) {
    const range = { first, prefix: wanted.prefix }
    if (!taken.some(other => overlap(range, other))) return range
  }
  throw new Error(
    `no free address range from ${formatRange(wanted)} to 10.255.255.255; end what has them, or name another in SLIPWAY_POD_RANGE and SLIPWAY_SERVICE_RANGE`,
  )
}

export interface Routed {
  readonly range: Range
  /** The interface; '' where the route has none (`unreachable`). */
  readonly device: string
}

/** `ip -4 -o route show table all` -> the ranges in it. A default route takes nothing; local addresses count as /32. */
export function routedRanges(text: string): readonly Routed[] {
  return text.split('\n').flatMap(line => {
    const found = /^\s*(?:[a-z]+ )?(\d+\.\d+\.\d+\.\d+(?:\/\d+)?)\s/.exec(line)
    if (found?.[1] === undefined || found[1] === '0.0.0.0/0') return []
    return [{ range: parseRange(found[1]), device: /\bdev (\S+)/.exec(line)?.[1] ?? '' }]
  })
}
