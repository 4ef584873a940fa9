// Health rules in words, one a line, the first that applies counts: users write them as the annotation `slipway.dev/health`, and kinds
// that many clusters have are written so too (`known.ts`). Pure.
//
//   Degraded: status.phase in Failed, Error
//   Healthy: status.phase is Running and condition Ready is True
//   Progressing
import { conditionsOf, find, type Health, type HealthStatus, type Status, textAt } from './status.js'

export const healthAnnotation = 'slipway.dev/health'

export interface WrittenRule {
  readonly status: HealthStatus
  readonly clauses: readonly Clause[]
}

interface Clause {
  /** `status.phase`, `condition Ready`, `condition Ready reason`. */
  readonly path: string
  readonly isNot: boolean
  /** null: that there is something. */
  readonly values: readonly string[] | null
}

const words: readonly HealthStatus[] = ['Healthy', 'Progressing', 'Degraded', 'Suspended', 'Unknown']
const clausePattern =
  /^(condition [\w./-]+(?: reason)?|(?:status|spec)(?:\.[\w-]+)+) (is not|is|not in|in|exists|is absent)(?: (.+))?$/

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
  const [, path, verb, value = ''] = clausePattern.exec(text) ?? []
  const needsValue = verb !== 'exists'
  if (path === undefined || verb === undefined || needsValue !== (value !== ''))
    throw new Error(
      `"${text}" is no clause; want "status.phase is Running", "condition Ready in True, Unknown" or "status.url exists"`,
    )
  const values = needsValue ? (verb.endsWith('in') ? value.split(',').map(one => one.trim()) : [value]) : null
  return { path, isNot: verb.includes('not'), values }
}

/** null where no line applies. */
export function writtenHealth(rules: readonly WrittenRule[], object: object, status: Status): Health | null {
  const rule = rules.find(({ clauses }) => clauses.every(clause => holds(clause, object, status)))
  return rule === undefined ? null : { status: rule.status, message: messageOf(rule, status) }
}

function holds({ path, isNot, values }: Clause, object: object, status: Status): boolean {
  const found = valueAt(path, object, status)
  const is = values === null ? found !== '' : values.includes(found)
  return is !== isNot
}

/** As text; '' where there is nothing. */
function valueAt(path: string, object: object, status: Status): string {
  const [, type = '', reason] = /^condition (\S+)( reason)?$/.exec(path) ?? []
  if (type !== '') {
    const condition = find(conditionsOf(status), type)
    return (reason === undefined ? condition?.status : condition?.reason) ?? ''
  }
  let at: unknown = { ...object, status }
  for (const key of path.split('.')) at = typeof at === 'object' && at !== null ? (at as Status)[key] : undefined
  return at === undefined || at === null ? '' : typeof at === 'object' ? JSON.stringify(at) : String(at)
}

/** What the kind itself says: of a condition that the rule names, else its status. */
function messageOf({ clauses }: WrittenRule, status: Status): string {
  const conditions = conditionsOf(status)
  const named = clauses.flatMap(({ path }) => find(conditions, /^condition (\S+)/.exec(path)?.[1] ?? '') ?? [])
  return named.map(one => one.message).find(message => message !== '') ?? textAt(status, 'message')
}

/** What the object's author wrote; a text that cannot be read makes nothing healthy. null where there is none. */
export function annotatedHealth(
  object: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } },
  status: Status,
): Health | null {
  const text = object.metadata.annotations?.[healthAnnotation]
  if (text === undefined) return null
  try {
    return writtenHealth(parseRules(text), object, status) ?? { status: 'Progressing', message: '' }
  } catch (error) {
    return { status: 'Unknown', message: `annotation ${healthAnnotation}: ${(error as Error).message}` }
  }
}
