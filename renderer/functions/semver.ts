// Versions against constraints, as Masterminds/semver reads them (npm's semver differs).
import { define, type Family, FunctionFault, textArg } from './function.js'

export const semver: Family = [define('semverCompare', 2, args => satisfies(textArg(args, 1), textArg(args, 0)))]

interface Version {
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly pre: string
  /** How many of the three numbers were written; the rest are 0. */
  readonly parts: number
}

const versionForm =
  /^v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-.]+)?$/

function parse(text: string): Version | null {
  const found = versionForm.exec(text)
  if (found === null) return null
  const raw = [found[1], found[2], found[3]]
  const wild = raw.findIndex(part => part === undefined || /^[xX*]$/.test(part))
  const parts = wild < 0 ? 3 : wild
  const number = (at: number): bigint => (at < parts ? BigInt(raw[at] ?? 0) : 0n)
  return { numbers: [number(0), number(1), number(2)], pre: found[4] ?? '', parts }
}

export function satisfies(text: string, constraint: string): boolean {
  const version = parse(text)
  if (version === null || /[xX*]/.test(text.split(/[-+]/)[0] ?? '')) throw new FunctionFault('argument 2 is no version')
  return constraint.split('||').some(group => groupHolds(version, groupOf(group)))
}

/** A prerelease is only meant where a constraint of the same group names one. */
function groupHolds(version: Version, parts: readonly Part[]): boolean {
  if (version.pre !== '' && !parts.some(part => part.version.pre !== '')) return false
  return parts.every(part => holds(version, part))
}

type Part = { readonly op: string; readonly version: Version }

function groupOf(given: string): Part[] {
  const group = given.trim() === '' ? '*' : given
  const spread = group.replace(/(^|[\s,])(\S+)\s+-\s+(\S+)/g, '$1>=$2,<=$3')
  const parts = spread.match(/(?:!=|=>|=<|>=|<=|~>|[=<>~^])?\s*[^\s,=<>!~^]+/g) ?? []
  if (parts.length === 0 || spread.replace(/(?:!=|=>|=<|>=|<=|~>|[=<>~^])?\s*[^\s,=<>!~^]+/g, '').replace(/[\s,]/g, '') !== '')
    throw new FunctionFault('the constraint cannot be read')
  return parts.map(part => {
    const [, op = '', rest = ''] = /^(!=|=>|=<|>=|<=|~>|[=<>~^])?\s*(.+)$/.exec(part) ?? []
    const version = parse(rest)
    if (version === null) throw new FunctionFault('the constraint cannot be read')
    return { op, version }
  })
}

function holds(version: Version, part: Part): boolean {
  const { op, version: limit } = part
  const order = compare(version, limit)
  if (op === '^') return order >= 0 && sameUpTo(version, limit, caretParts(limit))
  if (op === '~' || op === '~>')
    return limit.parts === 0 || isZero(limit) || (order >= 0 && sameUpTo(version, limit, Math.min(2, limit.parts)))
  if (op === '' || op === '=') return limit.parts < 3 ? sameUpTo(version, limit, limit.parts) && order >= 0 : order === 0
  if (op === '!=') return limit.parts < 3 && limit.pre === '' ? !sameUpTo(version, limit, limit.parts) : order !== 0
  if (op === '>') return limit.parts < 3 ? order > 0 && !sameUpTo(version, limit, limit.parts) : order > 0
  if (op === '>=' || op === '=>') return order >= 0
  if (op === '<') return order < 0
  return limit.parts < 3 ? order <= 0 || sameUpTo(version, limit, limit.parts) : order <= 0
}

/** `~0.0.0` accepts everything, in Masterminds. */
function isZero(limit: Version): boolean {
  return limit.parts === 3 && limit.pre === '' && limit.numbers.every(number => number === 0n)
}

/** `^1.2.3` keeps 1; `^0.2.3` keeps 0.2; `^0.0.3` keeps all. */
function caretParts(limit: Version): number {
  if (limit.numbers[0] > 0n || limit.parts < 2) return Math.min(1, limit.parts)
  if (limit.numbers[1] > 0n || limit.parts < 3) return 2
  return 3
}

function sameUpTo(a: Version, b: Version, parts: number): boolean {
  return a.numbers.slice(0, parts).every((number, at) => number === b.numbers[at])
}

function compare(a: Version, b: Version): number {
  for (let at = 0; at < 3; at++) {
    const [x = 0n, y = 0n] = [a.numbers[at], b.numbers[at]]
    if (x !== y) return x < y ? -1 : 1
  }
  return comparePre(a.pre, b.pre)
}

function comparePre(a: string, b: string): number {
  if (a === b) return 0
  if (a === '' || b === '') return a === '' ? 1 : -1
  const [left, right] = [a.split('.'), b.split('.')]
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [x, y] = [left[at], right[at]]
    if (x === y) continue
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1
    const [xNumber, yNumber] = [/^\d+$/.test(x), /^\d+$/.test(y)]
    if (xNumber && yNumber) return BigInt(x) < BigInt(y) ? -1 : 1
    return xNumber !== yNumber ? (xNumber ? -1 : 1) : x < y ? -1 : 1
  }
  return 0
}
