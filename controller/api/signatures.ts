// Webhook signatures per provider (trust.md, section 6): raw body, constant time, before anything is parsed. Pure but for the hash.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export type Provider = 'github' | 'gitlab' | 'gitea' | 'forgejo' | 'gogs' | 'bitbucket' | 'azure' | 'generic'
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

interface Scheme {
  /** Any of these present: the request claims to be signed by this provider. */
  readonly headers: readonly string[]
  readonly verify: (headers: Headers, body: Buffer, secret: string, now: number) => boolean
}

const prefixedHex = (header: string): Scheme => ({
  headers: [header],
  verify: (headers, body, secret) => {
    const given = one(headers, header)
    return given.startsWith('sha256=') && same(given.slice('sha256='.length).toLowerCase(), hmac(secret, body, 'hex'))
  },
})

const bareHex = (header: string): Scheme => ({
  headers: [header],
  verify: (headers, body, secret) => same(one(headers, header).toLowerCase(), hmac(secret, body, 'hex')),
})

const schemes: Readonly<Record<Provider, Scheme>> = {
  github: prefixedHex('x-hub-signature-256'),
  gitlab: { headers: ['webhook-signature', 'x-gitlab-token'], verify: gitlab },
  gitea: bareHex('x-gitea-signature'),
  forgejo: bareHex('x-forgejo-signature'),
  gogs: bareHex('x-gogs-signature'),
  bitbucket: prefixedHex('x-hub-signature'),
  azure: { headers: ['authorization'], verify: azure },
  generic: prefixedHex('x-signature'),
}

export const providers = Object.keys(schemes) as readonly Provider[]

/** Those that have a secret here and whose signature the request carries: empty = refuse before the body is read. */
export function claimed(headers: Headers, secrets: Readonly<Record<string, string>>): readonly Provider[] {
  return providers.filter(
    provider => (secrets[provider] ?? '') !== '' && schemes[provider].headers.some(header => one(headers, header) !== ''),
  )
}

/** The provider whose signature holds, or null. */
export function verified(
  headers: Headers,
  body: Buffer,
  secrets: Readonly<Record<string, string>>,
  now: number,
): Provider | null {
  return claimed(headers, secrets).find(provider => schemes[provider].verify(headers, body, secrets[provider] ?? '', now)) ?? null
}

/** The new signing token (Standard Webhooks: `v1,` + base64 over `id.timestamp.body`, five minutes), else the old plain token. */
function gitlab(headers: Headers, body: Buffer, secret: string, now: number): boolean {
  const signatures = one(headers, 'webhook-signature')
  if (signatures === '') return same(one(headers, 'x-gitlab-token'), secret)
  const [id, timestamp] = [one(headers, 'webhook-id'), one(headers, 'webhook-timestamp')]
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp) * 1000) > 300_000) return false
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : secret
  const wanted = hmac(key, Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]), 'base64')
  return signatures.split(' ').some(signature => signature.startsWith('v1,') && same(signature.slice('v1,'.length), wanted))
}

/** Basic authentication; the secret is `user:password`. */
function azure(headers: Headers, _body: Buffer, secret: string): boolean {
  const given = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(one(headers, 'authorization'))?.[1] ?? ''
  return same(Buffer.from(given, 'base64').toString(), secret)
}

function hmac(secret: string | Buffer, body: Buffer, encoding: 'hex' | 'base64'): string {
  return createHmac('sha256', secret).update(body).digest(encoding)
}

/** Over digests, so that neither length nor content shows in the time. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

function one(headers: Headers, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : ''
}
