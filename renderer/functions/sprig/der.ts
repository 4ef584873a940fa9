// ASN.1's distinguished encoding, as far as keys and certificates need it: written, and taken apart.

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  utcTime: 0x17,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content])
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length)
  const bytes: number[] = []
  for (let left = length; left > 0; left >>>= 8) bytes.unshift(left & 0xff)
  return Buffer.of(0x80 | bytes.length, ...bytes)
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(tags.sequence, ...parts)
}

/** A number that is not negative, from its bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let from = 0
  while (from < bytes.length - 1 && bytes[from] === 0) from++
  const size = bytes.subarray(from)
  return der(tags.integer, (size[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), size]) : size.length === 0 ? Buffer.of(0) : size)
}

/** `oid('2.5.4.3')` */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...others].flatMap(part => {
    const groups = [part & 0x7f]
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return der(tags.oid, Buffer.from(bytes))
}

/** Whole bytes. */
export function bits(bytes: Uint8Array): Buffer {
  return der(tags.bits, Buffer.of(0), bytes)
}

/** An element inside `bytes`: with its head from `start` to `end`, its content from `inside`. */
export interface Element {
  readonly bytes: Uint8Array
  readonly tag: number
  readonly start: number
  readonly inside: number
  readonly end: number
}

export class DerError extends Error {}

/** The element at `start`, which must end at or before `limit`. */
export function element(bytes: Uint8Array, start = 0, limit = bytes.length): Element {
  const [tag, first] = [bytes[start], bytes[start + 1]]
  if (start + 2 > limit || tag === undefined || first === undefined) throw new DerError('truncated')
  const count = first < 0x80 ? 0 : first & 0x7f
  if (count > 4 || first === 0x80) throw new DerError('a length that DER does not have')
  let length = first < 0x80 ? first : 0
  for (let at = 0; at < count; at++) length = length * 256 + (bytes[start + 2 + at] ?? 0)
  const inside = start + 2 + count
  if (inside + length > limit) throw new DerError('truncated')
  return { bytes, tag, start, inside, end: inside + length }
}

export function children(of: Element): readonly Element[] {
  const found: Element[] = []
  for (let at = of.inside; at < of.end; ) {
    const next = element(of.bytes, at, of.end)
    found.push(next)
    at = next.end
  }
  return found
}

/** With its head. */
export function whole(of: Element): Uint8Array {
  return of.bytes.subarray(of.start, of.end)
}

export function content(of: Element): Uint8Array {
  return of.bytes.subarray(of.inside, of.end)
}
