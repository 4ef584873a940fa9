// Semantic versions as Masterminds/semver 3.5.0 has them (version.go): `v` in front and missing parts are allowed.
import { compareText } from '../../value/text.js'
import { int, type Method, type ParamType, Struct, type Value } from '../../value/value.js'
import { fail } from './define.js'
import { parseUnsigned } from './number-text.js'

interface Parts {
  readonly major: bigint
  readonly minor: bigint
  readonly patch: bigint
  readonly prerelease: string
  readonly metadata: string
  /** As it was written. */
  readonly original: string
}

const tail = '(-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?'
const loose = new RegExp(`^v?([0-9]+)(\\.[0-9]+)?(\\.[0-9]+)?${tail}$`)
const longest = 256
const most = (1n << 64n) - 1n

/** `semver.NewVersion`; throws CallError. */
export function parseVersion(text: string): Version {
  if (Buffer.byteLength(text) > longest) fail(`version string is too long (max ${longest} bytes)`)
  const found = loose.exec(text)
  if (found === null) return fail('invalid semantic version')
  const [, major = '', minor, patch, , prerelease = '', , metadata = ''] = found
  const parts: Parts = {
    major: segment(major),
    minor: segment(minor?.slice(1)),
    patch: segment(patch?.slice(1)),
    prerelease,
    metadata,
    original: text,
  }
  if (prerelease !== '') checkPrerelease(prerelease)
  return new Version(parts)
}

/** `semver.StrictNewVersion`: three parts, no `v`, no zero in front. */
export function parseStrictVersion(text: string): Version {
  if (text === '') fail('version string empty')
  if (Buffer.byteLength(text) > longest) fail(`version string is too long (max ${longest} bytes)`)
  const found = /^([^.]*)\.([^.]*)\.([^+-]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(text)
  if (found === null) return fail('invalid semantic version')
  const [, major = '', minor = '', patch = '', prerelease, metadata] = found
  if (metadata !== undefined) checkMetadata(metadata)
  if (prerelease !== undefined) checkPrerelease(prerelease)
  for (const part of [major, minor, patch]) {
    if (!/^[0-9]*$/.test(part)) fail('invalid characters in version')
    if (part.length > 1 && part.startsWith('0')) fail('version segment starts with 0')
  }
  const numbers = { major: segment(major), minor: segment(minor), patch: segment(patch) }
  return new Version({ ...numbers, prerelease: prerelease ?? '', metadata: metadata ?? '', original: text })
}

function segment(digits: string | undefined): bigint {
  if (digits === undefined) return 0n
  const value = parseUnsigned(digits)
  const reason = digits === '' ? 'invalid syntax' : 'value out of range'
  return value ?? fail(`error parsing version segment: strconv.ParseUint: parsing "${digits}": ${reason}`)
}

function checkPrerelease(text: string): void {
  for (const part of text.split('.')) {
    if (!/^[0-9A-Za-z-]+$/.test(part)) fail('invalid prerelease string')
    if (/^0[0-9]+$/.test(part)) fail('version segment starts with 0')
  }
}

function checkMetadata(text: string): void {
  for (const part of text.split('.')) if (!/^[0-9A-Za-z-]+$/.test(part)) fail('invalid metadata string')
}

function method(params: readonly ParamType[], run: (args: readonly Value[]) => Value): Method {
  return { params, run }
}

/** What `semver` gives to templates: `(semver "1.2.3").Major`. */
export class Version extends Struct {
  readonly type: '*semver.Version' | 'semver.Version'
  readonly kind: 'ptr' | 'struct'
  readonly parts: Parts
  constructor(parts: Parts, kind: 'ptr' | 'struct' = 'ptr') {
    super()
    this.parts = parts
    this.kind = kind
    this.type = kind === 'ptr' ? '*semver.Version' : 'semver.Version'
  }

  print(): string {
    const { major, minor, patch, prerelease, metadata } = this.parts
    return `${major}.${minor}.${patch}${prerelease && `-${prerelease}`}${metadata && `+${metadata}`}`
  }

  override json(): Value {
    return this.print()
  }

  override method(name: string): Method | undefined {
    // Original and the comparisons are the pointer's: what IncMajor and its kin give back is none.
    const ofPointer = this.kind === 'ptr' ? this.#compares(name) : undefined
    return this.#reads(name) ?? ofPointer ?? this.#changes(name)
  }

  #reads(name: string): Method | undefined {
    const { major, minor, patch, prerelease, metadata, original } = this.parts
    const read = (value: Value): Method => method([], () => value)
    switch (name) {
      case 'Major':
        return read(int(major, 'uint64'))
      case 'Minor':
        return read(int(minor, 'uint64'))
      case 'Patch':
        return read(int(patch, 'uint64'))
      case 'Prerelease':
        return read(prerelease)
      case 'Metadata':
        return read(metadata)
      case 'Original':
        return this.kind === 'ptr' ? read(original) : undefined
      case 'String':
        return read(this.print())
      default:
        return undefined
    }
  }

  #compares(name: string): Method | undefined {
    const by = (decide: (order: number) => Value): Method =>
      method(['*semver.Version'], args => decide(compareVersions(this, args[0] as Version)))
    switch (name) {
      case 'Compare':
        return by(order => int(order))
      case 'Equal':
        return by(order => order === 0)
      case 'LessThan':
        return by(order => order < 0)
      case 'LessThanEqual':
        return by(order => order <= 0)
      case 'GreaterThan':
        return by(order => order > 0)
      case 'GreaterThanEqual':
        return by(order => order >= 0)
      default:
        return undefined
    }
  }

  #changes(name: string): Method | undefined {
    switch (name) {
      case 'IncMajor':
        return method([], () => this.increment('major'))
      case 'IncMinor':
        return method([], () => this.increment('minor'))
      case 'IncPatch':
        return method([], () => this.increment('patch'))
      case 'SetPrerelease':
        return method(['string'], args => this.withPrerelease(args[0] as string))
      case 'SetMetadata':
        return method(['string'], args => this.withMetadata(args[0] as string))
      default:
        return undefined
    }
  }

  /** A prerelease becomes its release by a patch increment. */
  increment(what: 'major' | 'minor' | 'patch'): Version {
    const { major, minor, patch, prerelease } = this.parts
    const raised = (value: bigint): bigint =>
      value === most ? fail(`${what} version increment would overflow uint64`) : value + 1n
    if (what === 'major') return this.#next({ major: raised(major), minor: 0n, patch: 0n, prerelease: '', metadata: '' })
    if (what === 'minor') return this.#next({ minor: raised(minor), patch: 0n, prerelease: '', metadata: '' })
    return this.#next({ patch: prerelease === '' ? raised(patch) : patch, prerelease: '', metadata: '' })
  }

  withPrerelease(prerelease: string): Version {
    if (prerelease !== '') checkPrerelease(prerelease)
    return this.#next({ prerelease })
  }

  withMetadata(metadata: string): Version {
    if (metadata !== '') checkMetadata(metadata)
    return this.#next({ metadata })
  }

  #next(changed: Partial<Parts>): Version {
    const made = new Version({ ...this.parts, ...changed }, 'struct')
    const prefix = this.parts.original.startsWith('v') ? 'v' : ''
    return new Version({ ...made.parts, original: prefix + made.print() }, 'struct')
  }
}

/** -1, 0 or 1. Metadata does not count. */
export function compareVersions(a: Version, b: Version): number {
  const [x, y] = [a.parts, b.parts]
  return (
    sign(x.major, y.major) || sign(x.minor, y.minor) || sign(x.patch, y.patch) || comparePrereleases(x.prerelease, y.prerelease)
  )
}

function sign(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A release comes after its prereleases. */
export function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0
  if (a === '' || b === '') return a === '' ? 1 : -1
  const [parts, others] = [a.split('.'), b.split('.')]
  for (let at = 0; at < Math.max(parts.length, others.length); at++) {
    const order = comparePart(parts[at] ?? '', others[at] ?? '')
    if (order !== 0) return order
  }
  return 0
}

/** Numbers come before texts, and nothing before both. */
function comparePart(a: string, b: string): number {
  if (a === b) return 0
  if (a === '' || b === '') return a === '' ? -1 : 1
  const [x, y] = [parseUnsigned(a), parseUnsigned(b)]
  if (x === undefined && y === undefined) return compareText(a, b) > 0 ? 1 : -1
  if (x === undefined || y === undefined) return x === undefined ? 1 : -1
  return x > y ? 1 : -1
}
