// What an application keeps from one render to the next: what random functions gave for each call, and what is there for `lookup`.
// It mints where nothing is kept yet, and tells what was used: who renders decides what becomes of that.
import { createHmac } from 'node:crypto'
import { CallError, type Chance } from './functions/signature.js'
import type { CallPlace, Site } from './gotemplate/index.js'
import type { Surroundings } from './helm/engine.js'
import { formatted } from './value/format.js'
import { Bytes, Int, type IntType, int, isDict, isList, type Value } from './value/value.js'

/** Plain data: it goes to the process that renders. */
export interface Kept {
  /** The application's own secret: so that keys say nothing of the arguments (a password among them) that they are made of. */
  readonly salt: string
  /** `Minted.value` by key. */
  readonly values: Readonly<Record<string, string>>
  /** By `questionOf`: the object, null where there is none; of a question without a name all objects. */
  readonly answers: Readonly<Record<string, unknown>>
}

export interface Minted {
  /** JSON: a text, `{"int": "5"}`, or a certificate's `{"cert", "key"}`. */
  readonly value: string
  /** The function that gave it. */
  readonly name: string
  /** The template that asked, below the chart: `templates/secret.yaml`. */
  readonly file: string
  /** The YAML key or variable on whose line it stands; '' where there is none. */
  readonly label: string
  /** The key without file names: how a value is found again after a template was renamed. */
  readonly loose: string
}

/** What a render used of what is kept, and what it lacked. */
export interface Touched {
  /** Keys of values, minted ones among them. */
  readonly used: readonly string[]
  readonly minted: Readonly<Record<string, Minted>>
  /** Questions of `lookup`. One without an answer in `Kept.answers` was told that nothing is there: answer it and render again. */
  readonly asked: readonly string[]
}

export const nothingTouched: Touched = { used: [], minted: {}, asked: [] }

/** apiVersion, kind, namespace ('' = all), name ('' = every one). */
export type Question = readonly [apiVersion: string, kind: string, namespace: string, name: string]

export function questionOf(...question: Question): string {
  return JSON.stringify(question)
}

const mostQuestions = 500

/** One render's. */
export class StickyBook implements Surroundings {
  readonly #kept: Kept
  readonly #chance: Chance
  readonly #used = new Map<string, string>()
  readonly #minted = new Map<string, Minted>()
  readonly #asked = new Set<string>()

  constructor(kept: Kept, chance: Chance) {
    this.#kept = kept
    this.#chance = chance
  }

  sticky(name: string, args: readonly Value[], mint: (chance: Chance) => Value, siteOf: () => Site): Value {
    const site = siteOf()
    const key = `${name}-${this.#hashed([name, args.map(told), site.calls.map(placed), site.keys], 24)}`
    const known = this.#used.get(key) ?? (Object.hasOwn(this.#kept.values, key) ? this.#kept.values[key] : undefined)
    if (known !== undefined) {
      this.#used.set(key, known)
      return decoded(known)
    }
    const made = mint(this.#chance)
    const value = encoded(made)
    const { file, label } = shownPlace(site)
    const loose = this.#hashed([name, args.map(told), site.calls.map(withoutFile), site.keys], 16)
    this.#used.set(key, value)
    this.#minted.set(key, { value, name, file, label, loose })
    return made
  }

  lookup(apiVersion: string, kind: string, namespace: string, name: string): Value {
    const question = questionOf(apiVersion, kind, namespace, name)
    this.#asked.add(question)
    if (this.#asked.size > mostQuestions) throw new CallError(`lookup: more than ${mostQuestions} questions in one render`)
    const answer = Object.hasOwn(this.#kept.answers, question) ? this.#kept.answers[question] : null
    if (!Array.isArray(answer)) return answer === null ? new Map() : live(answer)
    return new Map<string, Value>([
      ['apiVersion', apiVersion],
      ['items', answer.map(live)],
      ['kind', `${kind}List`],
      ['metadata', new Map([['resourceVersion', '']])],
    ])
  }

  touched(): Touched {
    return { used: [...this.#used.keys()], minted: Object.fromEntries(this.#minted), asked: [...this.#asked] }
  }

  /** An error's text without what was minted or kept, or found in a Secret: it is shown to people. */
  masked(text: string): string {
    const found = [...this.#asked].flatMap(question => secretsIn(this.#kept.answers[question]))
    const secrets = [...[...this.#used.values()].flatMap(textsIn), ...found].filter(secret => secret.length >= 6)
    const forms = secrets.flatMap(secret => [secret, Buffer.from(secret).toString('base64')])
    return forms.sort((a, b) => b.length - a.length).reduce((shown, form) => shown.replaceAll(form, '(secret)'), text)
  }

  #hashed(parts: unknown, digits: number): string {
    return createHmac('sha256', this.#kept.salt).update(JSON.stringify(parts)).digest('hex').slice(0, digits)
  }
}

/** What Secrets among an answer hold, decoded. */
function secretsIn(answer: unknown): string[] {
  if (Array.isArray(answer)) return answer.flatMap(secretsIn)
  const { kind, data } = (answer ?? {}) as { readonly kind?: unknown; readonly data?: unknown }
  if (kind !== 'Secret' || typeof data !== 'object' || data === null) return []
  return Object.values(data).flatMap(value => (typeof value === 'string' ? [Buffer.from(value, 'base64').toString('utf8')] : []))
}

/** The texts that a value (`Minted.value`) consists of. */
export function textsIn(value: string): readonly string[] {
  const json = JSON.parse(value) as unknown
  return typeof json === 'string' ? [json] : Object.values(json as Readonly<Record<string, string>>)
}

/** The root chart's own name is left out: an application that gives its chart another name keeps its values. */
function below(file: string): string {
  return file.slice(file.indexOf('/') + 1)
}

function placed({ file, template, code, label, nth }: CallPlace): unknown {
  return [below(file), template === file ? '' : template, code, label, nth]
}

function withoutFile({ file, template, code, label, nth }: CallPlace): unknown {
  return [template === file ? '' : template, code, label, nth]
}

function shownPlace({ calls }: Site): { readonly file: string; readonly label: string } {
  return { file: below(calls[0]?.file ?? ''), label: calls.find(call => call.label !== '')?.label ?? '' }
}

/** An argument as part of a key: the same for the same value, whatever order its map was filled in. */
function told(value: Value): unknown {
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Int) return ['int', value.value.toString()]
  if (value instanceof Bytes) return ['bytes', Buffer.from(value.bytes).toString('base64')]
  if (isList(value)) return value.map(told)
  if (isDict(value)) return ['map', [...value].map(([key, item]) => [key, told(item)]).sort(byKey)]
  return ['other', formatted('%v', value)]
}

function byKey([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return String(a) < String(b) ? -1 : 1
}

function encoded(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Int) return JSON.stringify({ [value.type]: value.value.toString() })
  if (isDict(value)) return JSON.stringify(Object.fromEntries(value))
  throw new Error('only texts, integers and certificates are kept')
}

function decoded(text: string): Value {
  const json = JSON.parse(text) as string | Readonly<Record<string, string>>
  if (typeof json === 'string') return json
  const [[type, value] = ['', '']] = Object.entries(json)
  return type.startsWith('int') ? int(BigInt(value), type as IntType) : new Map(Object.entries(json))
}

/** As client-go reads an object: whole numbers are int64. */
function live(json: unknown): Value {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? int(json, 'int64') : json
  if (json === null || typeof json !== 'object') return json as Value
  if (Array.isArray(json)) return json.map(live)
  return new Map(Object.entries(json).map(([key, item]) => [key, live(item)] as const))
}
