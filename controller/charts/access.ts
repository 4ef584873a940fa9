// Who may be asked for charts, how, and with which credentials: what the configuration says, Docker's config.json, and what is never reached.
import { BlockList, isIP } from 'node:net'
import { isUnder } from '../fields.js'
import { ChartSourceError } from './errors.js'

/** Of the configuration's `repositories`. */
export interface Access {
  /** The beginning of the addresses that it is for: `oci://registry.example.com/team/`, `https://charts.example.com`. */
  readonly url: string
  readonly username: string
  readonly password: string
  /** PEM; '' for the system's authorities. */
  readonly ca: string
  /** Credentials also go to other hosts that an index names (Helm's `--pass-credentials`). */
  readonly passCredentials: boolean
  readonly plainHTTP: boolean
}

export interface Reach {
  readonly accesses: readonly Access[]
  /** `auths` of config.json files, by host (`registry.example.com:5000`) or host and path. */
  readonly docker: Readonly<Record<string, Login>>
  /** `public`: addresses of this machine and of private networks only where the configuration names the host. */
  readonly network: 'public' | 'any'
  /** The application's own word (`helm.passCredentials`) for what `Access` may say of a repository. */
  readonly passes?: boolean
}

export interface Login {
  readonly username: string
  readonly password: string
  /** A refresh token in place of a password; '' for none. */
  readonly identityToken: string
}

/** The longest that fits. */

/** The longest that fits. */
export function accessFor(reach: Reach, url: string): Access | null {
  return reach.accesses.filter(access => isUnder(url, access.url)).sort((a, b) => b.url.length - a.url.length)[0] ?? null
}

/** `repository` without the scheme: `registry.example.com/team/charts`. Longest first, as Docker's clients look. */
export function dockerLogin(reach: Reach, repository: string): Login | null {
  for (let key = repository; key !== ''; key = key.slice(0, Math.max(0, key.lastIndexOf('/')))) {
    const found = reach.docker[key]
    if (found !== undefined) return found
  }
  return null
}

/** `auths` of a config.json; credential helpers are programs, and none is run. Broken files count as empty. */
export function dockerAuths(text: string): Readonly<Record<string, Login>> {
  const auths = fieldOf(jsonOf(text), 'auths')
  if (typeof auths !== 'object' || auths === null) return {}
  return Object.fromEntries(
    Object.entries(auths).flatMap(([address, entry]) => {
      const login = loginOf(entry)
      const key = address.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '')
      return login === null ? [] : [[key, login] as const]
    }),
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}

function textOf(value: unknown, key: string): string {
  const found = fieldOf(value, key)
  return typeof found === 'string' ? found : ''
}

function loginOf(entry: unknown): Login | null {
  const identityToken = textOf(entry, 'identitytoken')
  const decoded = Buffer.from(textOf(entry, 'auth'), 'base64').toString('utf8').replace(/\0+$/, '')
  const colon = decoded.indexOf(':')
  const username = colon > 0 ? decoded.slice(0, colon) : textOf(entry, 'username')
  const password = colon > 0 ? decoded.slice(colon + 1) : textOf(entry, 'password')
  return username === '' && identityToken === '' ? null : { username, password, identityToken }
}

const never = new BlockList()
for (const [address, bits] of [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  never.addSubnet(address, bits)
for (const [address, bits] of [
  ['::', 128],
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::', 32],
] as const)
  never.addSubnet(address, bits, 'ipv6')

const inner = new BlockList()
for (const [address, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['192.0.0.0', 24],
  ['198.18.0.0', 15],
] as const)
  inner.addSubnet(address, bits)
for (const [address, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['64:ff9b::', 96],
] as const)
  inner.addSubnet(address, bits, 'ipv6')

/** Why this address must not be connected to; null: it may. `named`: the configuration names its host. */
export function objectionTo(address: string, reach: Reach, named: boolean): string | null {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  if (reach.network === 'any') return null
  if (never.check(address, family)) return `${address} is an address that no charts are fetched from`
  if (inner.check(address, family) && !named)
    return `${address} is of this machine or a private network: name the host under repositories in the configuration if that is meant`
  return null
}

export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Does the configuration name this host (with its port)? */
export function isNamed(reach: Reach, url: URL): boolean {
  return reach.accesses.some(access => hostOf(access.url) === url.host)
}

function hostOf(url: string): string {
  return /^[a-z+]+:\/\/(?:[^@/]*@)?([^/?#]*)/i.exec(url)?.[1]?.toLowerCase() ?? ''
}

/** Throws where plain http is meant and was not allowed. */
export function checkScheme(url: URL, reach: Reach, what: string): void {
  if (url.protocol === 'https:') return
  const isAllowed = url.protocol === 'http:' && (isLoopback(url.hostname) || reach.network === 'any' || allowsPlain(reach, url))
  if (!isAllowed)
    throw new ChartSourceError(
      'AddressRefused',
      `${what}: ${url.protocol}//${url.host} is not asked, since anyone on the way could change what it says: use https, or allow it with plainHTTP under repositories in the configuration`,
    )
}

export function allowsPlain(reach: Reach, url: { readonly host: string }): boolean {
  return reach.accesses.some(access => hostOf(access.url) === url.host && (access.plainHTTP || access.url.startsWith('http://')))
}

/** `https://bob:pw@host/x?token=1` -> `https://host/x` */
export function shownUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1')
    .replace(/[?#].*$/, '')
    .replace(/[\u0000-\u001f\u007f]/g, '?')
}
