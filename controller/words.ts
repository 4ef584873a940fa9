// The sentences people read, made in one place from facts: page, terminal, API and events all show these. What - why - what next.
import { shortRevision } from './application/tracked.js'

/** `40 s`, `3 min`, `2 h`, `5 d`: one unit, rounded down, as people say it. */
export function span(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 10 && seconds % 1 !== 0) return `${seconds.toFixed(1)} s`.replace('.0 s', ' s')
  if (seconds < 120) return `${Math.floor(seconds)} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

/** Whole units only, for `12 s ago`. */
export function ago(ms: number): string {
  return `${span(Math.floor(Math.max(0, ms) / 1000) * 1000)} ago`
}

/** `1 object`, `24 objects`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `4f2a91c`; of a chart its version. */
export function shortCommit(commit: string): string {
  return shortRevision(commit)
}

/** Begins a sentence. Names stay as they are: paths, commits, commands, whatever is not a plain word. */
export function capital(text: string): string {
  const [word = ''] = /^\S*/.exec(text) ?? []
  const isPlain = /^[a-z]+(?:'[a-z]+)?[,:;]?$/.test(word) && word !== 'slipway' && !/^[0-9a-f]{7,40}$/.test(word)
  return isPlain ? (text[0] ?? '').toUpperCase() + text.slice(1) : text
}

/** Ends a clause as a sentence, once; a command at its end stays as one types it. */
export function sentence(text: string): string {
  const trimmed = text.trim()
  return trimmed === '' || /[.?:]$/.test(trimmed) || /: {1,2}slipway \S[^.;]*$/.test(trimmed) ? trimmed : `${trimmed}.`
}

/** Clauses as sentences, one after the other; empty ones fall out. */
export function prose(...clauses: readonly string[]): string {
  return clauses
    .filter(clause => clause.trim() !== '')
    .map(clause => sentence(capital(clause.trim())))
    .join(' ')
}

const unresolved = [
  /getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ([\w.-]+)/,
  /bad address '([\w.-]+)(?::\d+)?'/,
  /lookup ([\w.-]+)(?: on \S+)?: no such host/,
  /could not (?:resolve|translate) host(?: name)?:? "?([\w.-]+)"?/i,
  /([\w.-]+): (?:Name or service not known|nodename nor servname)/,
]

/** A guess from a log: a name that no Service has, and those that are near. '' where there is nothing to say. */
export function likelyCause(
  log: readonly string[],
  namespace: string,
  services: readonly { readonly namespace: string; readonly name: string }[],
): string {
  const host = log.flatMap(line => unresolved.map(pattern => pattern.exec(line)?.[1] ?? '')).findLast(name => name !== '')
  if (host === undefined) return ''
  const [name = '', wanted = namespace] = host.split('.')
  if (services.some(service => service.name === name && service.namespace === wanted)) return ''
  const near = services.filter(
    service => service.name === name || service.name.startsWith(`${name}-`) || service.name.endsWith(`-${name}`),
  )
  const others = near.map(service => `"${service.name}" (${service.namespace})`).join(', ')
  return [`no Service "${name}" in namespace ${wanted}.`, ...(others === '' ? [] : [`There is ${others}.`])].join(' ')
}
