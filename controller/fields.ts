// Reading unknown data strictly: every fault is collected with its path, nothing is dropped silently.

export interface Fault {
  /** `spec.rollout.bakeTime` */
  readonly pointer: string
  readonly message: string
}

/** `spec.a: is wrong; spec.b: is too` */
export function faultsText(faults: readonly Fault[]): string {
  return faults.map(({ pointer, message }) => `${pointer}: ${message}`).join('; ')
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** Go's duration (`1h30m`, `90s`, `500ms`) or a number of seconds; null where it is neither. */
export function durationMs(value: unknown): number | null {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return Math.round(value * 1000)
  if (typeof value !== 'string' || !/^(\d+(\.\d+)?(ms|s|m|h|min))+$/.test(value)) return null
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 }
  let total = 0
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|min|s|m|h)/g))
    total += Number(amount) * (units[unit ?? ''] ?? 0)
  return Math.round(total)
}

/** One map of the input with the fields it may have; null allows any. */
export interface Fields {
  readonly path: string
  readonly faults: Fault[]
  has(name: string): boolean
  fault(name: string, message: string): void
  text(name: string, otherwise: string): string
  /** A string, number or boolean, as text. */
  scalar(name: string, otherwise: string): string
  flag(name: string, otherwise: boolean): boolean
  whole(name: string, otherwise: number, least: number, most: number): number
  duration(name: string, otherwiseMs: number): number
  oneOf<T extends string>(name: string, words: readonly T[], otherwise: T): T
  record(name: string): Readonly<Record<string, unknown>>
  texts(name: string): Readonly<Record<string, string>>
  list(name: string): readonly unknown[]
  textList(name: string): readonly string[]
  inner(name: string, known: readonly string[] | null): Fields
}

export function fieldsOf(input: unknown, path: string, faults: Fault[], known: readonly string[] | null): Fields {
  if (input !== undefined && input !== null && !isRecord(input))
    faults.push({ pointer: path, message: `want a map, got ${kindOf(input)}` })
  const map = isRecord(input) ? input : {}
  const at = (name: string) => (path === '' ? name : `${path}.${name}`)
  const fault = (name: string, message: string) => void faults.push({ pointer: at(name), message })
  if (known !== null)
    for (const name of Object.keys(map)) if (!known.includes(name)) fault(name, `unknown field${nearest(name, known)}`)
  const given = (name: string) => (Object.hasOwn(map, name) && map[name] !== null ? map[name] : undefined)

  /** The value where `accept` takes it, else a fault that names what was wanted. */
  function read<T>(name: string, otherwise: T, wanted: string, accept: (value: unknown) => T | null): T {
    const value = given(name)
    if (value === undefined) return otherwise
    const accepted = accept(value)
    if (accepted !== null) return accepted
    fault(name, `want ${wanted}, got ${shown(value)}`)
    return otherwise
  }

  const list = (name: string) => read<readonly unknown[]>(name, [], 'a list', value => (Array.isArray(value) ? value : null))
  return {
    path,
    faults,
    fault,
    list,
    has: name => given(name) !== undefined,
    text: (name, otherwise) => read(name, otherwise, 'a string', value => (typeof value === 'string' ? value : null)),
    scalar: (name, otherwise) =>
      read(name, otherwise, 'a string, number or boolean', value => (isScalar(value) ? String(value) : null)),
    flag: (name, otherwise) => read(name, otherwise, 'true or false', value => (typeof value === 'boolean' ? value : null)),
    whole: (name, otherwise, least, most) =>
      read(name, otherwise, `a whole number from ${least} to ${most}`, value =>
        wholeIn(typeof value === 'string' ? Number(value) : value, least, most),
      ),
    duration: (name, otherwiseMs) => read(name, otherwiseMs, 'a duration such as 30s or 5m', durationMs),
    oneOf: (name, words, otherwise) =>
      read(name, otherwise, words.join(' or '), value => words.find(word => word === value) ?? null),
    record: name => read<Readonly<Record<string, unknown>>>(name, {}, 'a map', value => (isRecord(value) ? value : null)),
    texts: name => read<Readonly<Record<string, string>>>(name, {}, 'a map of strings', textsOf),
    textList: name =>
      list(name).flatMap((value, index) => {
        if (typeof value === 'string') return [value]
        fault(`${name}[${index}]`, 'want a string')
        return []
      }),
    inner: (name, inside) => fieldsOf(given(name), at(name), faults, inside),
  }
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function wholeIn(value: unknown, least: number, most: number): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : null
}

function textsOf(value: unknown): Readonly<Record<string, string>> | null {
  if (!isRecord(value) || !Object.values(value).every(isScalar)) return null
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]))
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'a list' : typeof value === 'string' ? 'a string' : `a ${typeof value}`
}

/** Short enough for a sentence, and never the whole of what may be a secret. */
function shown(value: unknown): string {
  return isScalar(value) ? JSON.stringify(value).slice(0, 60) : kindOf(value)
}

/** ` (did you mean bakeTime?)` for a known name at most two edits away; '' otherwise. */
export function nearest(name: string, known: readonly string[]): string {
  const ranked = known
    .map(word => ({ word, edits: editDistance(name.toLowerCase(), word.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)
  return ranked[0] !== undefined && ranked[0].edits <= 2 ? ` (did you mean ${ranked[0].word}?)` : ''
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length] ?? 0
}

/**
 * Does the address begin with all of `prefix`, up to a boundary? What is said for `https://host` is for `https://host/a` and
 * `https://host:8443/a`, not for `https://host.evil.example`. Addresses come without user and password.
 */
export function isUnder(url: string, prefix: string): boolean {
  const bare = prefix.replace(/\/+$/, '')
  return bare !== '' && url.startsWith(bare) && /^(?::\d+)?(?:[/?#]|$)/.test(url.slice(bare.length))
}
