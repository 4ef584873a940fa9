// Constraints on versions as Masterminds/semver 3.5.0 reads and checks them (constraints.go); npm's semver differs.
import { quoted } from '../../value/quote.js'
import { fail } from './define.js'
import { compile } from './pattern.js'
import { comparePrereleases, compareVersions, parseVersion, type Version } from './version.js'

type Operator = '' | '=' | '!=' | '>' | '<' | '>=' | '=>' | '<=' | '=<' | '~' | '~>' | '^'

/** `>=1.2`: parts that are missing or `x` are 0 in `version`. */
export interface Constraint {
  readonly operator: Operator
  readonly version: Version
  readonly original: string
  /** Some part is missing or `x`; which is the first of them. */
  readonly open: 'none' | 'major' | 'minor' | 'patch'
}

/** Any of the groups may hold; of a group all must. */
export interface Constraints {
  readonly groups: readonly (readonly Constraint[])[]
}

const longest = 512
const mostGroups = 32

const versionForm =
  'v?([0-9|x|X|\\*]+)(\\.[0-9|x|X|\\*]+)?(\\.[0-9|x|X|\\*]+)?' +
  '(-([0-9A-Za-z\\-]+(\\.[0-9A-Za-z\\-]+)*))?(\\+([0-9A-Za-z\\-]+(\\.[0-9A-Za-z\\-]+)*))?'
const operators = '=||!=|>|<|>=|=>|<=|=<|~|~>|\\^'
const single = `^\\s*(${operators})\\s*(${versionForm})\\s*$`
const range = `\\s*(${versionForm})\\s+-\\s+(${versionForm})\\s*`
const one = `(${operators})\\s*(${versionForm})`
const group = `^(\\s*(${operators})\\s*(${versionForm})\\s*)((?:\\s+|,\\s*)(${operators})\\s*(${versionForm})\\s*)*$`

const kept = new Map<string, Constraints>()

/** `semver.NewConstraint`; throws CallError. Read ones are kept: charts ask the same for every object. */
export function parseConstraints(text: string): Constraints {
  const found = kept.get(text)
  if (found !== undefined) return found
  if (Buffer.byteLength(text) > longest) fail(`constraint string is too long (max ${longest} bytes)`)
  const parts = rewriteRanges(text).split('||')
  if (parts.length > mostGroups) fail(`too many constraint groups (max ${mostGroups})`)
  const made = { groups: parts.map(parseGroup) }
  if (kept.size >= 500) kept.clear()
  kept.set(text, made)
  return made
}

/** `1.2 - 1.4` is `>= 1.2, <= 1.4`. */
export function rewriteRanges(text: string): string {
  let made = text
  for (const match of compile(range).all(text, -1)) {
    const part = (number: number): string => text.slice(match[2 * number], match[2 * number + 1])
    made = made.replace(part(0), () => `>= ${part(1)}, <= ${part(11)} `)
  }
  return made
}

function parseGroup(text: string): readonly Constraint[] {
  if (!compile(group).matches(text)) fail(`improper constraint: ${quoted(text)}`)
  const found = compile(one).all(text, -1)
  return found.map(match => parseConstraint(text.slice(match[0], match[1])))
}

/** One constraint; '' is any release. */
export function parseConstraint(text: string): Constraint {
  if (text === '') return { operator: '', version: parseVersion('0.0.0'), original: '', open: 'major' }
  const match = compile(single).all(text, 1)[0]
  if (match === undefined) return fail(`improper constraint: ${quoted(text)}`)
  const part = (number: number): string =>
    (match[2 * number] ?? -1) < 0 ? '' : text.slice(match[2 * number], match[2 * number + 1])
  const [major, minor, patch, prerelease] = [part(3), part(4), part(5), part(6)]
  const open = isOpen(major) ? 'major' : isOpen(minor.slice(1)) ? 'minor' : isOpen(patch.slice(1)) ? 'patch' : 'none'
  const written = {
    none: part(2),
    major: `0.0.0${prerelease}`,
    minor: `${major}.0.0${prerelease}`,
    patch: `${major}${minor}.0${prerelease}`,
  }[open]
  return { operator: part(1) as Operator, version: parsed(written), original: part(2), open }
}

function parsed(text: string): Version {
  try {
    return parseVersion(text)
  } catch {
    return fail('constraint parser error')
  }
}

function isOpen(part: string): boolean {
  return part === '' || part === 'x' || part === 'X' || part === '*'
}

/** Prereleases are only looked for where a constraint of the group names one. */
export function satisfies(version: Version, constraints: Constraints, includePrerelease = false): boolean {
  return constraints.groups.some(group => {
    const prereleases = includePrerelease || group.some(each => each.version.parts.prerelease !== '')
    return group.every(each => objection(version, each, prereleases) === undefined)
  })
}

/** Why the version does not fit, as Constraints.Validate words it; undefined: it fits. */
export function objection(version: Version, constraint: Constraint, prereleases: boolean): string | undefined {
  if (version.parts.prerelease !== '' && !prereleases)
    return `"${version.print()}" is a prerelease version and the constraint is only looking for release versions`
  const says = checks[constraint.operator](version, constraint)
  return says === undefined ? undefined : `"${version.print()}" ${says.replace('%', `"${constraint.original}"`)}`
}

type Check = (version: Version, constraint: Constraint) => string | undefined

const checks: Readonly<Record<Operator, Check>> = {
  '': equal,
  '=': equal,
  '!=': unequal,
  '>': greater,
  '<': (version, { version: wanted }) => (compareVersions(version, wanted) < 0 ? undefined : 'is greater than or equal to %'),
  '>=': atLeast,
  '=>': atLeast,
  '<=': atMost,
  '=<': atMost,
  '~': tilde,
  '~>': tilde,
  '^': caret,
}

function atLeast(version: Version, { version: wanted }: Constraint): string | undefined {
  return compareVersions(version, wanted) >= 0 ? undefined : 'is less than %'
}

/** `=1.2` is `~1.2`. */
function equal(version: Version, constraint: Constraint): string | undefined {
  if (constraint.open !== 'none') return tilde(version, constraint)
  return compareVersions(version, constraint.version) === 0 ? undefined : 'is not equal to %'
}

function unequal(version: Version, { version: wanted, open }: Constraint): string | undefined {
  const [has, want] = [version.parts, wanted.parts]
  const same = 'is equal to %'
  if (open === 'none') return compareVersions(version, wanted) === 0 ? same : undefined
  if (has.major !== want.major) return undefined
  if (open === 'minor') return same
  if (has.minor !== want.minor) return undefined
  if (open === 'major') return has.patch !== want.patch || compareVersions(version, wanted) !== 0 ? undefined : same
  const apart = comparePrereleases(has.prerelease, want.prerelease) !== 0
  return (has.prerelease !== '' || want.prerelease !== '') && apart ? undefined : same
}

/** `>11` begins with 12.0.0, `>11.1` with 11.2.0. */
function greater(version: Version, { version: wanted, open }: Constraint): string | undefined {
  const [has, want] = [version.parts, wanted.parts]
  const less = 'is less than or equal to %'
  if (open === 'none' || open === 'major') {
    if (open === 'major' && has.major > want.major) return undefined
    return compareVersions(version, wanted) === 1 ? undefined : less
  }
  if (has.major !== want.major) return has.major > want.major ? undefined : less
  return open === 'patch' && has.minor > want.minor ? undefined : less
}

/** `<=11` ends with 11.x, `<=11.1` with 11.1.x. */
function atMost(version: Version, { version: wanted, open }: Constraint): string | undefined {
  const [has, want] = [version.parts, wanted.parts]
  const above = 'is greater than %'
  if (open === 'none') return compareVersions(version, wanted) <= 0 ? undefined : above
  if (has.major > want.major) return above
  return has.major === want.major && has.minor > want.minor && open !== 'minor' ? above : undefined
}

/** `~1.2.3` is `>=1.2.3, <1.3.0`; `~1` is `>=1, <2`; `~0.0.0` and `~*` are any. */
function tilde(version: Version, { version: wanted, open }: Constraint): string | undefined {
  const [has, want] = [version.parts, wanted.parts]
  if (compareVersions(version, wanted) < 0) return 'is less than %'
  const zero = want.major === 0n && want.minor === 0n && want.patch === 0n
  if (zero && open !== 'minor' && open !== 'patch') return undefined
  if (has.major !== want.major) return 'does not have same major version as %'
  return has.minor !== want.minor && open !== 'minor' ? 'does not have same major and minor version as %' : undefined
}

/** What the first part that is not 0 allows: `^1.2.3` is `<2`, `^0.2.3` is `<0.3`, `^0.0.3` is `<0.0.4`. */
function caret(version: Version, { version: wanted, open }: Constraint): string | undefined {
  const [has, want] = [version.parts, wanted.parts]
  if (compareVersions(version, wanted) < 0) return 'is less than %'
  if (want.major > 0n || open === 'minor') return has.major === want.major ? undefined : 'does not have same major version as %'
  if (has.major > 0n) return 'does not have same major version as %'
  if (want.minor > 0n || open === 'patch') {
    const expected = 'Expected minor versions to match when constraint major version is 0'
    return has.minor === want.minor ? undefined : `does not have same minor version as %. ${expected}`
  }
  if (has.minor > 0n) return 'does not have same minor version as %'
  const expected = 'Expect version and constraint to equal when major and minor versions are 0'
  return has.patch === want.patch ? undefined : `does not equal %. ${expected}`
}
