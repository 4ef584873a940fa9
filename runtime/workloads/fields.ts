// Reads one object of unknown shape strictly: every field is named by whoever reads it, what nobody named is an issue with its path.

/** `HostPolicy` is what the node refuses to everyone; the rest is Kubernetes' words for bad manifests. */
export type IssueReason = 'UnknownField' | 'UnsupportedField' | 'InvalidValue' | 'HostPolicy'

export interface Issue {
  readonly path: string
  readonly reason: IssueReason
  readonly message: string
}

type Read<T> = (value: unknown, path: string) => T

export class Fields {
  readonly path: string
  readonly #value: Readonly<Record<string, unknown>>
  readonly #issues: Issue[]
  readonly #known = new Set<string>()

  /** A value that is no object is an issue, and reads as an empty one. */
  constructor(value: unknown, path: string, issues: Issue[]) {
    this.path = path
    this.#issues = issues
    this.#value = isObject(value) ? value : {}
    if (!isObject(value) && value !== null && value !== undefined) this.#report(path, 'InvalidValue', 'must be an object')
  }

  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }

  /** null is absent, as in Kubernetes. */
  raw(name: string): unknown {
    this.#known.add(name)
    return this.#value[name] ?? undefined
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined
  }

  invalid(name: string, message: string): void {
    this.#report(this.at(name), 'InvalidValue', message)
  }

  refuse(name: string, reason: IssueReason, message: string): void {
    this.#report(this.at(name), reason, message)
  }

  string(name: string): string | undefined {
    return this.#typed(name, 'a string', (value): value is string => typeof value === 'string')
  }

  requiredString(name: string): string {
    const value = this.string(name)
    if (value === undefined && !this.has(name)) this.invalid(name, 'is required')
    if (value === '') this.invalid(name, 'must not be empty')
    return value ?? ''
  }

  bool(name: string): boolean | undefined {
    return this.#typed(name, 'true or false', (value): value is boolean => typeof value === 'boolean')
  }

  int(name: string, min = 0, max = 2 ** 53): number | undefined {
    const value = this.#typed(name, 'a whole number', (v): v is number => Number.isSafeInteger(v))
    if (value !== undefined && (value < min || value > max)) {
      this.invalid(name, max === 2 ** 53 ? `must be at least ${min}, is ${value}` : `must be from ${min} to ${max}, is ${value}`)
    }
    return value
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.string(name)
    if (value === undefined || (allowed as readonly string[]).includes(value)) return value as T | undefined
    this.invalid(name, `must be ${allowed.join(' or ')}, is '${value}'`)
    return undefined
  }

  object(name: string): Fields | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : new Fields(value, this.at(name), this.#issues)
  }

  list<T>(name: string, read: Read<T>): readonly T[] {
    const value = this.raw(name)
    if (value === undefined) return []
    if (Array.isArray(value)) return value.map((item, index) => read(item, `${this.at(name)}[${index}]`))
    this.invalid(name, 'must be a list')
    return []
  }

  /** A list of objects. */
  each<T>(name: string, read: (fields: Fields) => T): readonly T[] {
    return this.list(name, (value, path) => read(new Fields(value, path, this.#issues)))
  }

  strings(name: string): readonly string[] {
    return this.list(name, (value, path) => {
      if (typeof value !== 'string') this.#report(path, 'InvalidValue', 'must be a string')
      return String(value)
    })
  }

  /** A map of strings. Kubernetes does not turn numbers or booleans into strings, and neither do we. */
  stringMap(name: string): Readonly<Record<string, string>> {
    const value = this.raw(name)
    if (value === undefined) return {}
    if (!isObject(value)) {
      this.invalid(name, 'must be a map of strings')
      return {}
    }
    for (const [key, item] of Object.entries(value)) {
      if (typeof item !== 'string') this.#report(`${this.at(name)}.${key}`, 'InvalidValue', `must be a string: put it in quotes`)
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]))
  }

  /** Fields of Kubernetes that the node does not have: an issue when set to anything but nothing. */
  unsupported(names: readonly string[], why = 'is not supported on a node'): void {
    for (const name of names) {
      const value = this.raw(name)
      if (value !== undefined && !isEmpty(value)) this.#report(this.at(name), 'UnsupportedField', why)
    }
  }

  /** Fields that mean nothing on one node, or that the server writes: accepted. */
  inert(...names: readonly string[]): void {
    for (const name of names) this.#known.add(name)
  }

  /** Call after all fields are named. */
  end(): void {
    for (const name of Object.keys(this.#value)) {
      if (this.#known.has(name)) continue
      const near = nearest(name, this.#known)
      this.#report(this.at(name), 'UnknownField', `unknown field${near === null ? '' : ` (did you mean ${near}?)`}`)
    }
  }

  #typed<T>(name: string, what: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.raw(name)
    if (value === undefined || is(value)) return value
    this.invalid(name, `must be ${what}`)
    return undefined
  }

  #report(path: string, reason: IssueReason, message: string): void {
    this.#issues.push({ path, reason, message })
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  return value === '' || value === false || (isObject(value) && Object.keys(value).length === 0)
}

/** The known name within two edits (or the same but for case), else null. */
export function nearest(name: string, known: Iterable<string>): string | null {
  let best: string | null = null
  let bestDistance = 3
  for (const candidate of known) {
    const distance = name.toLowerCase() === candidate.toLowerCase() ? 0 : edits(name, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** Levenshtein distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** Leaves out what is undefined, so that an absent field stays absent. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>
}
