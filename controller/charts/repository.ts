// Charts in HTTP repositories: `index.yaml`, and the archives that it names (Helm's `repo` and `downloader`).
import type { PublishedVersion } from '../../renderer/index.js'
import { type Access, accessFor, shownUrl } from './access.js'
import { ChartSourceError, ofStatus } from './errors.js'
import { ask, type Validators, validatorsOf } from './http.js'
import { checkDigest, type Session } from './oci.js'

/** Bytes of an index.yaml; the largest public ones have 20 MB. */
const mostIndexBytes = 40_000_000

/** `https://charts.example.com/stable`, perhaps with user and password, or a query that stays. */
export async function indexOf(repository: string, session: Session): Promise<Buffer> {
  return (await indexSince(repository, nothingSeen, session))!.body
}

/** What an address gave, and by what to ask whether it gives the same still. */
export interface Gotten extends Validators {
  readonly body: Buffer
}

export const nothingSeen: Validators = { etag: '', modified: '' }

/** null: it is what it was. */
export async function indexSince(repository: string, unless: Validators, session: Session): Promise<Gotten | null> {
  const url = below(repository, 'index.yaml', session.what)
  return get(url, repository, { ...session, maxBytes: mostIndexBytes }, 'application/yaml, text/yaml, */*', unless)
}

/** The packed chart; its digest, where the index says one, holds. */
export async function archiveOf(repository: string, version: PublishedVersion, session: Session): Promise<Buffer> {
  return (await archiveSince(repository, version, nothingSeen, session))!.body
}

/** null: it is what it was. */
export async function archiveSince(
  repository: string,
  version: PublishedVersion,
  unless: Validators,
  session: Session,
): Promise<Gotten | null> {
  const url = archiveUrl(repository, version.urls[0] ?? '', session.what)
  const got = await get(url, repository, session, 'application/gzip, application/octet-stream', unless)
  if (got === null) return null
  const { body } = got
  if (version.sha256 !== '') checkDigest(body, `sha256:${version.sha256}`, session.what)
  if (body[0] !== 0x1f || body[1] !== 0x8b)
    throw new ChartSourceError('ChartRefused', `${session.what}: ${shownUrl(url.href)} is no packed chart (.tgz)`, true)
  return got
}

/** Absolute, or below the repository (`repo.ResolveReferenceURL`). */
export function archiveUrl(repository: string, reference: string, what: string): URL {
  if (!URL.canParse(reference)) return below(repository, reference, what)
  const url = new URL(reference)
  if (url.protocol === 'https:' || url.protocol === 'http:') return url
  throw new ChartSourceError(
    'ChartRefused',
    `${what}: index.yaml names ${shownUrl(reference)}, which is no http(s) address`,
    true,
  )
}

function below(repository: string, reference: string, what: string): URL {
  const base = repository.replace(/[?#].*$/, '').replace(/\/+$/, '')
  if (!URL.canParse(reference, `${base}/`))
    throw new ChartSourceError('InvalidChart', `${what}: ${shownUrl(repository)} is no address of a chart repository`)
  const url = new URL(reference, `${base}/`)
  url.search = new URL(repository).search
  return url
}

async function get(asked: URL, repository: string, session: Session, accept: string, unless: Validators): Promise<Gotten | null> {
  const { what, maxBytes, reach, signal } = session
  const credentials = credentialsOf(new URL(repository), accessFor(reach, shownUrl(repository)), reach.passes === true)
  const url = new URL(asked)
  url.username = ''
  url.password = ''
  const isMeant = (to: URL): boolean =>
    credentials !== null && to.origin === url.origin && (to.origin === credentials.origin || credentials.passes)
  const authorization = (to: URL): string | null => (isMeant(to) ? (credentials?.text ?? null) : null)
  const answer = await ask({ url, what, accept, maxBytes, authorization, reach, signal, unless })
  if (answer.status === 304 && unless !== nothingSeen) return null
  if (answer.status !== 200) throw ofStatus(answer.status, `${what}: ${shownUrl(url.href)}`, answer.waitMs)
  return { body: answer.body, ...validatorsOf(answer) }
}

interface HeldCredentials {
  readonly text: string
  /** The server that they are for. */
  readonly origin: string
  /** Other servers that the index names get them too, as Helm's `--pass-credentials`; where one redirects to never. */
  readonly passes: boolean
}

function credentialsOf(home: URL, access: Access | null, passes: boolean): HeldCredentials | null {
  const [username, password] =
    home.username !== '' ? [decoded(home.username), decoded(home.password)] : [access?.username ?? '', access?.password ?? '']
  if (username === '') return null
  const text = `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`
  return { text, origin: home.origin, passes: passes || access?.passCredentials === true }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
