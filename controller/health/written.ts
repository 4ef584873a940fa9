// Health rules in words, one a line, the first that applies counts: users write them as the annotation `slipway.dev/health`, or for a kind
// (`spec.health` of an application, `health` of the configuration), and kinds that many clusters have are written so too (`known.ts`). Pure.
//
//   Degraded: status.phase in Failed, Error
//   Degraded: any status.members[].state is Lost
//   Healthy: status.phase is Running and condition Ready is True
//   Progressing
import { conditionsOf, find, type Health, type HealthStatus, type Status, textAt } from './status.js'

export const healthAnnotation = 'slipway.dev/health'

export interface WrittenRule {
  readonly status: HealthStatus
  readonly clauses: readonly Clause[]
}

interface Clause {
  /** `status.phase`, `status.listeners[name=web].state`, `status.members[].state`, `condition Ready`, `condition Ready reason`. */
  readonly path: string
  /** Of a path; none of a condition. */
  readonly steps: readonly Step[]
  /** Where the path names each of a list: for how many of them it has to hold. */
  readonly among: 'any' | 'every' | null
  readonly isNot: boolean
  /** null: that there is something. */
  readonly values: readonly string[] | null
}

/** A field, an element by its place, the first element whose field says so, or all of them. */
type Step =
  | { readonly field: string }
  | { readonly index: number }
  | { readonly where: string; readonly is: string }
  | { readonly each: true }

const words: readonly HealthStatus[] = ['Healthy', 'Progressing', 'Degraded', 'Suspended', 'Unknown']
const clausePattern =
  /^(?:(any|every) )?(condition [\w./-]+(?: reason)?|(?:status|spec)(?:\.[\w-]+|\[[^\]]*\])+) (is not|is|not in|in|exists|is absent)(?: (.+))?$/

/** Throws with the line that cannot be read. */
export function parseRules(text: string): readonly WrittenRule[] {
  const lines = text.split(/\n|;/).map(line => line.trim())
  const rules = lines.filter(line => line !== '').map(parsedLine)
  if (rules.length === 0) throw new Error(`no rule; want lines such as "Healthy: status.phase is Running"`)
  return rules
}

function parsedLine(line: string): WrittenRule {
  const [, word = '', rest = ''] = /^(\w+)(?::\s*(.*))?$/.exec(line) ?? []
  const status = words.find(one => one === word)
  if (status === undefined) throw new Error(`"${line}" does not begin with ${words.join(', ')}`)
  return { status, clauses: rest === '' ? [] : rest.split(/ and /).map(clause => parsedClause(clause.trim())) }
}

function parsedClause(text: string): Clause {
  if (/ is absent$/.test(text)) return { ...parsedClause(text.replace(/ is absent$/, ' exists')), isNot: true }
  const [, among, path, verb, value = ''] = clausePattern.exec(text) ?? []
  const needsValue = verb !== 'exists'
  if (path === undefined || verb === undefined || needsValue !== (value !== ''))
    throw new Error(
      `"${text}" is no clause; want "status.phase is Running", "condition Ready in True, Unknown", "status.url exists" or "any status.nodes[].state is Lost"`,
    )
  const values = needsValue ? (verb.endsWith('in') ? value.split(',').map(one => one.trim()) : [value]) : null
  const steps = path.startsWith('condition ') ? [] : stepsIn(path)
  const isEach = steps.some(step => 'each' in step)
  if (isEach !== (among !== undefined))
    throw new Error(
      isEach
        ? `"${text}" names each of a list: begin it with any or every`
        : `"${text}" names no list: write [] where each of one is meant`,
    )
  return { path, steps, among: (among as 'any' | 'every' | undefined) ?? null, isNot: verb.includes('not'), values }
}

/** `status.conditions[type=Ready].status`; kubectl's `[?(@.type=="Ready")]` is taken too. */
function stepsIn(path: string): readonly Step[] {
  return [...path.matchAll(/(?:^|\.)([\w-]+)|\[([^\]]*)\]/g)].map(([, field, within]): Step => {
    if (field !== undefined) return { field }
    const [, filterField, filterValue] = /^\?\(@\.([\w-]+) ?== ?["']?([^"']*)["']?\)$/.exec(within ?? '') ?? []
    const [, where = filterField, is = filterValue] = /^([\w-]+)=(.+)$/.exec(within ?? '') ?? []
    if (where !== undefined && is !== undefined) return { where, is }
    if (within === '') return { each: true }
    if (/^\d+$/.test(within ?? '')) return { index: Number(within) }
    throw new Error(`"[${within}]" of "${path}" names nothing of a list; want [0], [name=web] or []`)
  })
}

/** null where no line applies. */
export function writtenHealth(rules: readonly WrittenRule[], object: object, status: Status): Health | null {
  const rule = rules.find(({ clauses }) => clauses.every(clause => holds(clause, object, status)))
  return rule === undefined ? null : { status: rule.status, message: messageOf(rule, status) }
}

/** Every one of none is none: a list that is not there yet says nothing. */
function holds(clause: Clause, object: object, status: Status): boolean {
  const { isNot, values, among } = clause
  const found = valuesAt(clause, object, status)
  const isSo = (text: string) => (values === null ? text !== '' : values.includes(text)) !== isNot
  return among === 'every' ? found.length > 0 && found.every(isSo) : found.some(isSo)
}

/** As texts, '' where there is nothing; several only of what names each of a list. */
function valuesAt({ path, steps }: Clause, object: object, status: Status): readonly string[] {
  const [, type = '', reason] = /^condition (\S+)( reason)?$/.exec(path) ?? []
  if (type !== '') {
    const condition = find(conditionsOf(status), type)
    return [(reason === undefined ? condition?.status : condition?.reason) ?? '']
  }
  return steps
    .reduce<readonly unknown[]>((found, step) => found.flatMap(at => stepped(at, step)), [{ ...object, status }])
    .map(textOf)
}

/** One, but for each of a list. */
function stepped(at: unknown, step: Step): readonly unknown[] {
  if ('field' in step) return [typeof at === 'object' && at !== null ? (at as Status)[step.field] : undefined]
  const list: readonly unknown[] = Array.isArray(at) ? at : []
  if ('each' in step) return list
  if ('index' in step) return [list[step.index]]
  return [list.find(one => textOf((one as Status | null)?.[step.where]) === step.is)]
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** What the kind itself says: of a condition that the rule names, else its status. */
function messageOf({ clauses }: WrittenRule, status: Status): string {
  const conditions = conditionsOf(status)
  const named = clauses.flatMap(({ path }) => find(conditions, /^condition (\S+)/.exec(path)?.[1] ?? '') ?? [])
  return named.map(one => one.message).find(message => message !== '') ?? textAt(status, 'message')
}

/** Rules for kinds, by `group/Kind`, as text. */
export type KindRules = Readonly<Record<string, string>>

/** What the object's author wrote of it, else what people wrote of its kind; a text that cannot be read makes nothing healthy. null: nothing. */
export function peopleHealth(
  object: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } },
  kind: string,
  kinds: KindRules,
  status: Status,
): Health | null {
  const own = object.metadata.annotations?.[healthAnnotation]
  const text = own ?? kinds[kind]
  if (text === undefined) return null
  try {
    return writtenHealth(readRules(text), object, status) ?? { status: 'Progressing', message: '' }
  } catch (error) {
    const where = own === undefined ? `health rule of ${kind}` : `annotation ${healthAnnotation}`
    return { status: 'Unknown', message: `${where}: ${(error as Error).message}` }
  }
}

/** Asked of every object in every pass: read once. */
const read = new Map<string, readonly WrittenRule[]>()
const mostRead = 500

function readRules(text: string): readonly WrittenRule[] {
  const known = read.get(text)
  if (known !== undefined) return known
  const rules = parseRules(text)
  if (read.size >= mostRead) read.clear()
  read.set(text, rules)
  return rules
}

/** `example.com/Database`, `ConfigMap` -> `/ConfigMap`; null for what is no kind. */
export function kindKey(written: string): string | null {
  const [, group = '', kind = ''] = /^(?:([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)\/)?([A-Za-z][A-Za-z0-9]*)$/.exec(written) ?? []
  return kind === '' ? null : `${group}/${kind}`
}
