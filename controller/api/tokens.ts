// Who may call: tokens, page sessions and one-time login codes, kept in one file (0600) as hashes only. All of them expire.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { open, rename } from 'node:fs/promises'
import { copyBeside, readKept } from '../../runtime/whole-file.js'
import type { Actor } from '../ledger.js'

/** `read` sees, `write` acts on applications, `admin` also makes tokens, backups and restores. Each may what those before it may. */
export type Role = 'read' | 'write' | 'admin'
export const roles: readonly Role[] = ['read', 'write', 'admin']

export interface Caller {
  readonly id: string
  readonly actor: Actor
  readonly role: Role
  readonly kind: TokenKind
  /** ms since 1970. */
  readonly expiresAt: number
}

/** token: for programs, in `Authorization`. session: for the page, in a cookie. login: a code that becomes a session, once. */
export type TokenKind = 'token' | 'session' | 'login'

export interface TokenView {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly createdAt: string
  readonly expiresAt: string
}

export interface Minted {
  readonly id: string
  /** Shown once, kept nowhere. */
  readonly secret: string
  /** RFC 3339. */
  readonly expiresAt: string
}

export interface Tokens {
  /** null: unknown, expired, revoked, or of another kind. */
  verify(secret: string, kind: TokenKind): Caller | null
  /** Acknowledged once it is on disk. */
  mint(kind: TokenKind, name: string, role: Role, lifetimeMs: number): Promise<Minted>
  /** Turns a login code into a session; null when it is unknown, used or expired. */
  redeem(code: string): Promise<Minted | null>
  /** True if there was one. */
  revoke(id: string): Promise<boolean>
  /** Tokens for programs, newest first; sessions and codes are not listed. */
  list(): readonly TokenView[]
}

interface Kept {
  readonly id: string
  readonly kind: TokenKind
  readonly name: string
  readonly role: Role
  /** SHA-256 of the secret, hex: secrets have 256 random bits, so no slow hash is needed. */
  readonly hash: string
  readonly createdAt: number
  readonly expiresAt: number
}

export const sessionLifetimeMs = 12 * 3_600_000
export const loginLifetimeMs = 10 * 60_000
export const tokenLifetimeMs = 365 * 24 * 3_600_000

/** Opens (or begins) the file. Throws with the file's name when neither it nor its copy can be read; `broken` where one of them can. */
export async function openTokens(
  file: string,
  clock: { now(): number },
  broken: (fault: string) => void = () => {},
): Promise<Tokens> {
  const { value, fault } = readKept(file, false, tokensIn)
  if (fault !== '' && value === null) throw new Error(`${fault}; restore it from a backup, or remove it and make new tokens`)
  if (fault !== '') broken(fault)
  return new FileTokens(file, clock, value ?? [])
}

class FileTokens implements Tokens {
  readonly #file: string
  readonly #clock: { now(): number }
  readonly #kept: Map<string, Kept>
  #writing: Promise<void> = Promise.resolve()

  constructor(file: string, clock: { now(): number }, kept: readonly Kept[]) {
    this.#file = file
    this.#clock = clock
    this.#kept = new Map(kept.map(one => [one.id, one]))
  }

  verify(secret: string, kind: TokenKind): Caller | null {
    const kept = this.#kept.get(idOf(secret))
    if (kept === undefined || kept.kind !== kind || !sameHash(kept.hash, hashOf(secret))) return null
    if (kept.expiresAt <= this.#clock.now()) return null
    return { id: kept.id, actor: { kind: 'user', name: kept.name }, role: kept.role, kind: kept.kind, expiresAt: kept.expiresAt }
  }

  async mint(kind: TokenKind, name: string, role: Role, lifetimeMs: number): Promise<Minted> {
    const now = this.#clock.now()
    const id = randomBytes(6).toString('hex')
    const secret = `slw_${id}_${randomBytes(32).toString('base64url')}`
    const kept = { id, kind, name, role, hash: hashOf(secret), createdAt: now, expiresAt: now + lifetimeMs }
    this.#kept.set(id, kept)
    await this.#write()
    return { id, secret, expiresAt: new Date(kept.expiresAt).toISOString() }
  }

  async redeem(code: string): Promise<Minted | null> {
    const caller = this.verify(code, 'login')
    if (caller === null) return null
    this.#kept.delete(caller.id)
    return await this.mint('session', caller.actor.name, caller.role, sessionLifetimeMs)
  }

  async revoke(id: string): Promise<boolean> {
    const there = this.#kept.delete(id)
    if (there) await this.#write()
    return there
  }

  list(): readonly TokenView[] {
    const now = this.#clock.now()
    return [...this.#kept.values()]
      .filter(kept => kept.kind === 'token' && kept.expiresAt > now)
      .sort((a, b) => b.createdAt - a.createdAt)
      .map(({ id, name, role, createdAt, expiresAt }) => ({
        id,
        name,
        role,
        createdAt: new Date(createdAt).toISOString(),
        expiresAt: new Date(expiresAt).toISOString(),
      }))
  }

  /** One write at a time, each of the newest state; expired ones are forgotten on the way. */
  #write(): Promise<void> {
    const mine = this.#writing.then(async () => {
      const now = this.#clock.now()
      for (const kept of this.#kept.values()) if (kept.expiresAt <= now) this.#kept.delete(kept.id)
      await writeWhole(this.#file, JSON.stringify({ version: 1, tokens: [...this.#kept.values()] }))
    })
    this.#writing = mine.catch(() => {})
    return mine
  }
}

function tokensIn(content: Buffer): readonly Kept[] {
  const parsed = JSON.parse(content.toString('utf8')) as { version?: unknown; tokens?: unknown }
  if (parsed?.version !== 1 || !Array.isArray(parsed.tokens)) throw new Error('no token file of version 1')
  return parsed.tokens.filter(isKept)
}

function isKept(one: unknown): one is Kept {
  const { id, kind, hash, role, expiresAt } = (one ?? {}) as Partial<Record<keyof Kept, unknown>>
  return typeof id === 'string' && typeof hash === 'string' && typeof expiresAt === 'number' && isRole(role) && isKind(kind)
}

function isRole(word: unknown): word is Role {
  return roles.includes(word as Role)
}

function isKind(word: unknown): word is TokenKind {
  return word === 'token' || word === 'session' || word === 'login'
}

/** Beside it, synced, then renamed over it: a crash leaves the old file or the new one. */
async function writeWhole(file: string, text: string): Promise<void> {
  const beside = `${file}.new`
  const handle = await open(beside, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(beside, file)
  copyBeside(file, Buffer.from(text))
}

/** `slw_<id>_<secret>` -> id; '' for anything else. */
function idOf(secret: string): string {
  return /^slw_([0-9a-f]{12})_[\w-]{43}$/.exec(secret)?.[1] ?? ''
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')]
  return left.length === right.length && timingSafeEqual(left, right)
}
