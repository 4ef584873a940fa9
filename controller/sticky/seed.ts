// At a takeover: values that a render would mint, read from the objects that are there already. Live objects in, values out; pure, and
// the same whatever the place is.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { refKey, refOf } from '../../runtime/contract/manifest.js'
import { leavesOf, partsOf, type Sticky, type StickyEntry } from '../sticky.js'

export interface Takeover {
  /** What the render minted. */
  readonly minted: Sticky
  /** What it gave. */
  readonly rendered: readonly Manifest[]
  /** Objects of those names that are there. */
  readonly live: readonly Manifest[]
  /** Values that it was given, taken over ones among them: authorities that certificates may be signed by. */
  readonly known: Sticky
}

/** Entries in the place of minted ones, where what is there holds one at the same place. What is not found stays minted. */
export function seedsFrom(takeover: Takeover): Sticky {
  const rendered = leavesByObject(takeover.rendered)
  const live = leavesByObject(takeover.live)
  const authorities = certificatesIn(takeover.known)
  const seeds = Object.entries(takeover.minted).flatMap(([key, entry]): [string, StickyEntry][] => {
    const value = seedOf(entry, rendered, live, authorities)
    return value === null ? [] : [[key, { ...entry, value, from: 'live' }]]
  })
  return Object.fromEntries(seeds)
}

type Leaves = ReadonlyMap<string, string>

/** Texts by object and path. */
function leavesByObject(objects: readonly Manifest[]): Leaves {
  return new Map(
    objects.flatMap(object => {
      const plain = object.kind === 'Secret' ? withData(object) : object
      return leavesOf(plain).map(({ path, text }) => [`${refKey(refOf(object))} ${path.join('\0')}`, text] as const)
    }),
  )
}

/** A Secret says the same in `stringData` and `data`. */
function withData(secret: Manifest): Manifest {
  const { stringData, data, ...rest } = secret as Manifest & Readonly<Record<'stringData' | 'data', Record<string, string>>>
  const encoded = Object.entries(stringData ?? {}).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  return { ...rest, data: { ...data, ...Object.fromEntries(encoded) } } as Manifest
}

function seedOf(entry: StickyEntry, rendered: Leaves, live: Leaves, authorities: readonly X509Certificate[]): string | null {
  const json = JSON.parse(entry.value) as string | Pair | Readonly<Record<string, string>>
  if (typeof json === 'string') {
    const text = liveText(json, rendered, live)
    return text === null ? null : JSON.stringify(text)
  }
  if (isPair(json)) return certificateSeed(json, rendered, live, authorities)
  const [[type, number] = ['', '']] = Object.entries(json)
  const text = type === 'int' ? liveText(number, rendered, live) : null
  return text !== null && /^-?\d{1,19}$/.test(text) ? JSON.stringify({ [type]: text }) : null
}

/** Shorter ones stand in a longer text by chance. */
const shortest = 8

/** What stands in the live objects where this text stands in the rendered ones: alone first, else between the same words. */
function liveText(minted: string, rendered: Leaves, live: Leaves): string | null {
  const text = minted.trim()
  const there = [...rendered].filter(([place, one]) => live.has(place) && one.includes(text))
  const alone = there.find(([, one]) => one.trim() === text)
  if (alone !== undefined) return nonEmpty(live.get(alone[0])?.trim() ?? '')
  if (text.length < shortest) return null
  for (const [place, one] of there) {
    const [before, after] = split(one, text)
    const found = live.get(place) ?? ''
    const fits = found.startsWith(before) && found.endsWith(after) && found.length > before.length + after.length
    if (fits) return found.slice(before.length, found.length - after.length)
  }
  return null
}

function split(text: string, by: string): readonly [string, string] {
  const at = text.indexOf(by)
  return [text.slice(0, at), text.slice(at + by.length)]
}

function nonEmpty(text: string): string | null {
  return text === '' ? null : text
}

interface Pair {
  readonly cert: string
  readonly key: string
}

function isPair(json: Pair | Readonly<Record<string, string>>): json is Pair {
  return 'cert' in json
}

/**
 * A certificate with its own key, and, unless it signed itself, with its authority taken over too: one that another authority signed
 * beside a new one would be believed by nobody.
 */
function certificateSeed(minted: Pair, rendered: Leaves, live: Leaves, authorities: readonly X509Certificate[]): string | null {
  const [cert, key] = [liveText(minted.cert, rendered, live), liveText(minted.key, rendered, live)]
  if (cert === null || key === null) return null
  try {
    const read = new X509Certificate(cert)
    const isBelieved = [read, ...authorities].some(by => read.checkIssued(by) && read.verify(by.publicKey))
    if (!isBelieved || !read.checkPrivateKey(createPrivateKey(key))) return null
    return JSON.stringify({ cert: ended(cert), key: ended(key) })
  } catch {
    return null
  }
}

/** PEM ends with a line's end, as it does where it was made. */
function ended(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`
}

function certificatesIn(known: Sticky): readonly X509Certificate[] {
  const certs = Object.values(known).flatMap(({ value }) =>
    partsOf(value).filter(part => part.startsWith('-----BEGIN CERTIFICATE')),
  )
  return certs.map(cert => new X509Certificate(cert))
}
