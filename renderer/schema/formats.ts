// `format`, as santhosh-tekuri/jsonschema checks it (drafts before 2019-09 only): '' where the text is one.
import { quotedRune } from '../value/quote.js'

type Check = (text: string) => string

export const formats: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['ipv4', ipv4],
  ['ipv6', text => (isIpv6(text) ? '' : 'invalid ipv6 address')],
  ['hostname', hostname],
  ['email', email],
  ['date', text => (isDate(text) ? '' : `parsing time "${text}" as "2006-01-02": cannot parse "${text}" as "2006"`)],
  ['time', time],
  ['date-time', dateTime],
  ['uri', text => uri(text, true)],
  ['iri', text => uri(text, true)],
  ['uri-reference', text => (text.includes('\\') ? 'contains \\' : uri(text, false))],
  ['iri-reference', text => (text.includes('\\') ? 'contains \\' : uri(text, false))],
  ['uuid', uuid],
  ['json-pointer', jsonPointer],
])

function ipv4(text: string): string {
  const groups = text.split('.')
  if (groups.length !== 4) return 'expected four decimals'
  for (const group of groups) {
    if (group.length > 1 && group.startsWith('0')) return 'leading zeros'
    if (!/^\d+$/.test(group)) return `strconv.Atoi: parsing ${JSON.stringify(group)}: invalid syntax`
    if (Number(group) > 255) return 'decimal must be between 0 and 255'
  }
  return ''
}

function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2 || !text.includes(':')) return false
  const groups = halves.flatMap(half => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  const count = groups.length + (last.includes('.') ? 1 : 0)
  const fine = groups.every((group, at) => /^[0-9a-fA-F]{1,4}$/.test(group) || (at === groups.length - 1 && ipv4(group) === ''))
  return fine && (halves.length === 2 ? count < 8 : count === 8)
}

function hostname(given: string): string {
  const text = given.endsWith('.') ? given.slice(0, -1) : given
  if (text.length > 253) return 'more than 253 characters long'
  for (const label of text.split('.')) {
    if (label.length < 1 || label.length > 63) return 'label must be 1 to 63 characters long'
    if (label.startsWith('-')) return 'label starts with hyphen'
    if (label.endsWith('-')) return 'label ends with hyphen'
    const wrong = badChar(label, /[A-Za-z0-9-]/)
    if (wrong !== '') return wrong
  }
  return ''
}

function badChar(text: string, allowed: RegExp): string {
  for (const char of text) if (!allowed.test(char)) return `invalid character ${quotedRune(char.codePointAt(0) ?? 0)}`
  return ''
}

function email(text: string): string {
  if (text.length > 254) return 'more than 255 characters long'
  const at = text.lastIndexOf('@')
  if (at < 0) return 'missing @'
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)]
  if (local.length > 64) return 'local part more than 64 characters long'
  if (!/^".*"$/s.test(local)) {
    if (local.startsWith('.')) return 'starts with dot'
    if (local.endsWith('.')) return 'ends with dot'
    if (local.includes('..')) return 'consecutive dots'
    const wrong = badChar(local, /[A-Za-z0-9.!#$%&'*+\-/=?^_`{|}~]/)
    if (wrong !== '') return wrong
  }
  const literal = /^\[(IPv6:)?(.*)\]$/s.exec(domain)
  if (literal !== null) {
    const fine = literal[1] === undefined ? ipv4(literal[2] ?? '') === '' : isIpv6(literal[2] ?? '')
    return fine ? '' : 'invalid address'
  }
  const wrong = hostname(domain)
  return wrong === '' ? '' : `invalid domain: ${wrong}`
}

function isDate(text: string): boolean {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (found === null) return false
  const [year, month, day] = [Number(found[1]), Number(found[2]), Number(found[3])]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}

function time(text: string): string {
  if (text.length < 9) return 'less than 9 characters long'
  const found = /^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[zZ]|[-+](\d\d):(\d\d))$/.exec(text)
  if (found === null) return 'invalid hour/min/sec'
  const [hour, minute, second, zoneHour, zoneMinute] = found.slice(1).map(part => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  if (hour > 23 || minute > 59 || second > 60) return 'hour/min/sec out of range'
  return zoneHour > 23 || zoneMinute > 59 ? 'hour/min in offset out of range' : ''
}

function dateTime(text: string): string {
  if (text.length < 20) return 'less than 20 characters long'
  if (!/[tT]/.test(text[10] ?? '')) return '11th character must be t or T'
  if (!isDate(text.slice(0, 10))) return `invalid date element: ${text.slice(0, 10)}`
  const wrong = time(text.slice(11))
  return wrong === '' ? '' : `invalid time element: ${wrong}`
}

/** Go's net/url: a scheme, where one is wanted, and no control characters or bad escapes. */
function uri(text: string, absolute: boolean): string {
  const refuse = (what: string): string => `parse ${JSON.stringify(text)}: ${what}`
  if (/[\x00-\x1f\x7f]/.test(text)) return refuse('net/url: invalid control character in URL')
  if (text.startsWith(':')) return refuse('missing protocol scheme')
  const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(text)?.[0]
  if (wrong !== undefined) return refuse(`invalid URL escape ${JSON.stringify(wrong)}`)
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)
  if (scheme === null && /^[^/?#]*:/.test(text)) return refuse('first path segment in URL cannot contain colon')
  return absolute && scheme === null ? 'relative url' : ''
}

function uuid(text: string): string {
  const groups = text.split('-')
  const lengths = [8, 4, 4, 4, 12]
  if (groups.length !== lengths.length) return 'must have 5 elements'
  for (const [at, group] of groups.entries()) {
    if (group.length !== lengths[at]) return `element ${at + 1} must be ${lengths[at]} characters long`
    const wrong = [...group].find(char => !/[0-9a-fA-F]/.test(char))
    if (wrong !== undefined) return `non-hex character ${quotedRune(wrong.codePointAt(0) ?? 0)}`
  }
  return ''
}

function jsonPointer(text: string): string {
  if (text === '') return ''
  if (!text.startsWith('/')) return 'not starting with /'
  return /~(?![01])/.test(text) ? '~ must be followed by 0 or 1' : ''
}
