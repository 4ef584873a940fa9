// Go's net/url: how urlParse takes a URL apart and urlJoin puts one together. Works on bytes.
import { quoted } from '../../value/quote.js'
import { type Dict, kindOf, type Value } from '../../value/value.js'
import type { GoFunction } from '../signature.js'
import { binary, fromBinary } from './bytes.js'
import { define, dict, fail, failNil, text } from './define.js'
import { addressFault } from './ip.js'
import { lowerText } from './unicode.js'

export const urls: readonly GoFunction[] = [
  define('urlParse', ['string'], args => parsed(text(args, 0))),
  define('urlJoin', ['map'], args => joinedUrl(dict(args, 0))),
]

/** What may stand unescaped in each part, besides letters and digits; all else is escaped (url.go, shouldEscape). */
const free = {
  path: /[A-Za-z0-9$&+,\-./:;=@_~]/,
  user: /[A-Za-z0-9$&+,\-.;=_~]/,
  host: /[A-Za-z0-9!"$&'()*+,\-.:;<=>[\]_~]/,
  fragment: /[A-Za-z0-9!$&()*+,\-./:;=?@_~]/,
} as const
type Part = keyof typeof free

/** Texts in here are bytes, one character each. */
interface Url {
  readonly scheme: string
  readonly opaque: string
  /** As it is printed; undefined: none. */
  readonly user: string | undefined
  readonly host: string
  readonly path: string
  readonly query: string
  readonly fragment: string
}

const none: Url = { scheme: '', opaque: '', user: undefined, host: '', path: '', query: '', fragment: '' }

class UrlError extends Error {}

function parsed(given: string): Dict {
  const url = parse(given, error => fail(`unable to parse url: ${error}`))
  const parts: Readonly<Record<string, string>> = {
    scheme: url.scheme,
    host: url.host,
    hostname: hostname(url.host),
    path: url.path,
    query: url.query,
    opaque: url.opaque,
    fragment: url.fragment,
    userinfo: url.user ?? '',
  }
  return new Map(Object.entries(parts).map(([key, value]) => [key, fromBinary(value)]))
}

/** `url.Parse`. */
function parse(given: string, refuse: (error: string) => never): Url {
  const whole = binary(given)
  const [rest, ...after] = whole.split('#')
  let read = rest as string
  try {
    const url = parseRest(read)
    const fragment = after.join('#')
    read = whole
    return fragment === '' ? url : { ...url, fragment: unescaped(fragment, 'fragment') }
  } catch (error) {
    if (error instanceof UrlError) return refuse(`parse ${quoted(fromBinary(read))}: ${error.message}`)
    throw error
  }
}

function parseRest(given: string): Url {
  if (/[\x00-\x1f\x7f]/.test(given)) throw new UrlError('net/url: invalid control character in URL')
  if (given === '*') return { ...none, path: '*' }
  if (given.startsWith(':')) throw new UrlError('missing protocol scheme')
  const found = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(given)
  const scheme = lowerText(found?.[1] ?? '')
  const [before = '', ...queries] = given.slice(found?.[0].length ?? 0).split('?')
  const url = { ...none, scheme, query: queries.join('?') }
  if (!before.startsWith('/')) {
    if (scheme !== '') return { ...url, opaque: before }
    if ((before.split('/')[0] as string).includes(':')) throw new UrlError('first path segment in URL cannot contain colon')
  }
  if (!before.startsWith('//') || (scheme === '' && before.startsWith('///'))) return { ...url, path: unescaped(before, 'path') }
  const slash = before.indexOf('/', 2)
  const authority = slash < 0 ? before.slice(2) : before.slice(2, slash)
  const host = parseHost(scheme, authority.slice(authority.lastIndexOf('@') + 1))
  const user = authority.includes('@') ? parseUser(authority.slice(0, authority.lastIndexOf('@'))) : undefined
  return { ...url, host, user, path: slash < 0 ? '' : unescaped(before.slice(slash), 'path') }
}

function parseUser(given: string): string {
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(given)) throw new UrlError('net/url: invalid userinfo')
  const colon = given.indexOf(':')
  if (colon < 0) return escaped(unescaped(given, 'user'), 'user')
  const name = unescaped(given.slice(0, colon), 'user')
  return `${escaped(name, 'user')}:${escaped(unescaped(given.slice(colon + 1), 'user'), 'user')}`
}

function parseHost(scheme: string, host: string): string {
  const bracket = host.lastIndexOf('[')
  if (bracket > 0) throw new UrlError('invalid IP-literal')
  if (bracket === 0) return parseLiteral(host)
  // Databases have lists of hosts: only for http must the first colon be the port's.
  const strict = scheme === 'http' || scheme === 'https'
  const colon = strict ? host.indexOf(':') : host.lastIndexOf(':')
  if (colon >= 0) checkPort(host.slice(colon))
  return unescaped(host, 'host')
}

/** `[fe80::1%25en0]:80` */
function parseLiteral(host: string): string {
  const close = host.lastIndexOf(']')
  if (close < 0) throw new UrlError("missing ']' in host")
  checkPort(host.slice(close + 1))
  const name = host.slice(1, close)
  const zone = name.indexOf('%25')
  const address = zone < 0 ? unescaped(name, 'host') : unescaped(name.slice(0, zone), 'host')
  const whole = zone < 0 ? address : address + unescaped(name.slice(zone), 'zone')
  const fault = addressFault(whole)
  if (fault !== undefined) throw new UrlError(`invalid host: ParseAddr(${quoted(fromBinary(whole))}): ${fault}`)
  if (!whole.includes(':')) throw new UrlError('invalid IP-literal')
  return `[${whole}]${host.slice(close + 1)}`
}

function checkPort(port: string): void {
  if (!/^(:[0-9]*)?$/.test(port)) throw new UrlError(`invalid port ${quoted(fromBinary(port))} after host`)
}

/** Without its port and brackets. */
function hostname(host: string): string {
  const found = /^(.*):[0-9]*$/s.exec(host)
  const name = found?.[1] ?? host
  return name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
}

function unescaped(given: string, part: Part | 'zone'): string {
  return given.replace(/%([0-9a-fA-F]{2})|%.{0,2}|[^%]/gs, (written: string, hex: string | undefined) => {
    if (hex === undefined && written.startsWith('%')) throw new UrlError(`invalid URL escape ${quoted(fromBinary(written))}`)
    const inHost = part === 'host' || part === 'zone'
    if (hex === undefined) {
      if (inHost && written < '\x80' && !free.host.test(written))
        throw new UrlError(`invalid character ${quoted(written)} in host name`)
      return written
    }
    const char = String.fromCharCode(Number.parseInt(hex, 16))
    // In a host only what is not ASCII may be escaped; in a zone only what may stand there anyway.
    const allowed = written === '%25' || (part === 'host' ? char >= '\x80' : char === ' ' || free.host.test(char))
    if (inHost && !allowed) throw new UrlError(`invalid URL escape ${quoted(written)}`)
    return char
  })
}

function escaped(given: string, part: Part): string {
  return given.replace(/./gs, char =>
    free[part].test(char) ? char : '%' + char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0'),
  )
}

function joinedUrl(given: Dict): string {
  const part = (key: string): string => binary(entry(given, key))
  // In the order in which Sprig asks: the first that is no string is the one complained of.
  const [scheme, host, path, query, opaque, fragment] = ['scheme', 'host', 'path', 'query', 'opaque', 'fragment'].map(part) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  const userinfo = entry(given, 'userinfo')
  const user =
    userinfo === ''
      ? undefined
      : parse(`proto://${userinfo}@host`, error => fail(`unable to parse userinfo in dict: ${error}`)).user
  return fromBinary(printUrl({ scheme, host, path, query, opaque, fragment, user }))
}

function entry(given: Dict, key: string): string {
  const value: Value | undefined = given.get(key)
  if (value === undefined) return ''
  if (value === null) return failNil()
  return typeof value === 'string'
    ? value
    : fail(`unable to parse ${key} key, must be of type string, but ${kindOf(value)} found`)
}

/** `URL.String`. */
function printUrl(url: Url): string {
  const scheme = url.scheme === '' ? '' : url.scheme + ':'
  const tail = (url.query === '' ? '' : '?' + url.query) + (url.fragment === '' ? '' : '#' + escaped(url.fragment, 'fragment'))
  if (url.opaque !== '') return scheme + url.opaque + tail
  const hasAuthority = scheme !== '' || url.host !== '' || url.user !== undefined
  const slashes = hasAuthority && (url.host !== '' || url.path !== '' || url.user !== undefined) ? '//' : ''
  const user = url.user === undefined ? '' : url.user + '@'
  const head = scheme + slashes + user + escaped(url.host, 'host')
  const path = url.path === '*' ? '*' : escaped(url.path, 'path')
  if (path !== '' && !path.startsWith('/') && url.host !== '') return `${head}/${path}${tail}`
  // `a:b` alone would be a scheme.
  const dotted = head === '' && (path.split('/')[0] as string).includes(':') ? './' : ''
  return head + dotted + path + tail
}
