// The functions that Helm's engine puts over Sprig's: they see the render that calls them, and what they refuse is told without Go's words around it.
import { goFunctions } from '../functions/go.js'
import { encodeToml, TomlError } from '../functions/helm/toml.js'
import { CallError, type GoFunction } from '../functions/signature.js'
import { boundedText, define } from '../functions/sprig/define.js'
import { builtins } from '../gotemplate/index.js'
import type { Value } from '../value/value.js'
import { EncodeError, marshal } from '../yaml/encode.js'
import { type Profile, withoutNoValue } from './output.js'

const start = 'HELM_ERR_START'
const end = 'HELM_ERR_END'

/** The message of a `fail` or `required` inside an error's text; null where there is none. */
export function refusalIn(message: string): string | null {
  const from = message.indexOf(start)
  const to = message.lastIndexOf(end)
  return from < 0 || to < from ? null : message.slice(from + start.length, to)
}

const own: readonly GoFunction[] = [
  { name: 'include', params: ['string', 'any'], run: ([name, dot], call) => call.include(String(name), dot ?? null) },
  { name: 'tpl', params: ['string', 'any'], run: ([text, dot], call) => withoutNoValue(call.tpl(String(text), dot ?? null)) },
  {
    name: 'required',
    params: ['string', 'any'],
    run: ([warning, value]) => {
      if (value === null || value === undefined || value === '') throw new CallError(start + String(warning) + end)
      return value
    },
  },
  {
    name: 'fail',
    params: ['string'],
    run: ([message]) => {
      throw new CallError(start + String(message) + end)
    },
  },
  {
    name: 'lookup',
    params: ['string', 'string', 'string', 'string'],
    run: ([apiVersion, kind, namespace, name], call) =>
      call.lookup(String(apiVersion), String(kind), String(namespace), String(name)),
  },
  { name: 'getHostByName', params: ['string'], run: () => '' },
]

/** What Helm 4 has beside: errors are told, not swallowed. */
const added4: readonly GoFunction[] = [
  define('mustToYaml', ['any'], (args, call) => boundedText(orRefused(() => marshal(args[0] as Value)).replace(/\n$/, ''), call)),
  define('mustToToml', ['any'], (args, call) =>
    boundedText(
      orRefused(() => encodeToml(args[0] as Value)),
      call,
    ),
  ),
]

function orRefused(encode: () => string): string {
  try {
    return encode()
  } catch (cause) {
    throw cause instanceof EncodeError || cause instanceof TomlError ? new CallError(cause.message) : cause
  }
}

/** Everything a Helm template can call. */
export const helmFunctions: ReadonlyMap<string, GoFunction> = new Map([
  ...[...builtins.values()].map(each => [each.name, each] as const),
  ...goFunctions,
  ...own.map(each => [each.name, each] as const),
])

const helmFunctions4: ReadonlyMap<string, GoFunction> = new Map([
  ...helmFunctions,
  ...added4.map(each => [each.name, each] as const),
])

export function functionsOf(profile: Profile): ReadonlyMap<string, GoFunction> {
  return profile === '4' ? helmFunctions4 : helmFunctions
}
