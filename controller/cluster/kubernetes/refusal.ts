// What an API server's refusal means, and what can be done about it. Pure.
import { type Manifest, refOf, refText } from '../../../runtime/contract/manifest.js'
import type { ApiError } from './client.js'
import { isMap, type Path } from './managed.js'

export interface Conflict {
  /** `kubectl-edit` */
  readonly manager: string
  /** `.spec.replicas` */
  readonly field: string
}

/** Fields that others have with other values; none where it was refused for another reason. */
export function conflictsIn({ status, causes }: ApiError): readonly Conflict[] {
  if (status !== 409) return []
  return causes.flatMap(({ reason, message, field }) => {
    if (reason !== 'FieldManagerConflict') return []
    return [{ manager: /conflict with "([^"]*)"/.exec(message)?.[1] ?? 'another', field }]
  })
}

/** `.spec.replicas was set by kubectl-edit; the release's values take their place` */
export function conflictText(fields: readonly Conflict[]): string {
  const managers = [...new Set(fields.map(one => one.manager))]
  const each = managers.map(manager => {
    const theirs = fields.filter(one => one.manager === manager).map(one => one.field)
    const more = theirs.length > 3 ? ` and ${theirs.length - 3} more` : ''
    return `${theirs.slice(0, 3).join(', ')}${more} ${theirs.length === 1 ? 'was' : 'were'} set by ${manager}`
  })
  return `${each.join(', ')}; the release's values take their place`
}

const immutable = /immutable|may not change|cannot change roleRef|updates to .*(are forbidden|for fields other than)/

/** CamelCase: the server's own word, or what its message is known to mean. */
export function reasonOf(error: Pick<ApiError, 'isUnknownField' | 'message' | 'reason' | 'status'>): string {
  if (error.isUnknownField || isStrict(error.message)) return 'UnknownField'
  if (immutable.test(error.message)) return 'ImmutableField'
  if (/exceeded quota/.test(error.message)) return 'QuotaExceeded'
  if (/because it is being terminated/.test(error.message)) return 'NamespaceTerminating'
  return error.reason || `HTTP${error.status}`
}

/** What replacing answers of a field that the kind does not have: server-side apply says the same in other words. */
function isStrict(message: string): boolean {
  return message.includes('strict decoding error')
}

export function refusalText(error: ApiError): string {
  const field = error.isUnknownField ? unknownField(error.message) : undefined
  if (field !== undefined) return `there is no field ${field} in this version of the kind; is it misspelt?`
  if (reasonOf(error) !== 'ImmutableField') return error.message
  return (
    `${error.message}; that field is immutable, it cannot be changed while the object is there: give the object another name, or have ` +
    'it deleted and made anew with the annotation argocd.argoproj.io/sync-options: Force=true (what it runs is down meanwhile)'
  )
}

function unknownField(message: string): string | undefined {
  return /\.([\w.[\]"=:,-]+): field not declared in schema/.exec(message)?.[1]
}

/** Where that field stands in what was sent, from either form of the refusal; none where it is not understood. */
export function unknownFields(body: unknown, message: string): readonly Path[] {
  const field = unknownField(message) ?? /there is no field (\S+) in this version/.exec(message)?.[1]
  if (field === undefined) return []
  const path: (string | number)[] = []
  let at: unknown = body
  for (const part of field.match(/\[[^\]]*\]|[^.[]+/g) ?? []) {
    const key = part.startsWith('[') ? elementOf(at, part.slice(1, -1)) : part
    at = Array.isArray(at) ? at[Number(key)] : isMap(at) ? at[String(key)] : undefined
    if (at === undefined) return []
    path.push(key)
  }
  return path.length === 0 ? [] : [path]
}

/** `name="web",port=80` or `3` -> its index; -1 for none. */
function elementOf(list: unknown, text: string): number {
  if (!Array.isArray(list)) return -1
  if (/^\d+$/.test(text)) return Number(text)
  const wanted = text.split(',').map(pair => pair.split('='))
  return list.findIndex(
    one => isMap(one) && wanted.every(([name = '', value = '']) => String(one[name]) === value.replaceAll('"', '')),
  )
}

/** For people, of a kind that is not there. */
export function unknownKind(object: Manifest): string {
  return `${refText(refOf(object))}: this cluster has no ${object.kind} of ${object.apiVersion}; is its CustomResourceDefinition installed?`
}
