// Charts in OCI registries, as `helm pull oci://...` gets them: tags, manifest, layer; Basic and Bearer authentication (OCI distribution 1.1,
// Docker's token specification).
import { createHash } from 'node:crypto'
import { accessFor, allowsPlain, dockerLogin, isLoopback, type Login, type Reach } from './access.js'
import { ChartSourceError, ofStatus } from './errors.js'
import { type Answer, ask } from './http.js'

export interface Repository {
  /** `registry.example.com:5000` */
  readonly host: string
  /** `team/charts/redis` */
  readonly path: string
}

export interface Session {
  readonly reach: Reach
  readonly what: string
  readonly maxBytes: number
  readonly signal: AbortSignal
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const configType = 'application/vnd.cncf.helm.config.v1+json'
const layerTypes = ['application/vnd.cncf.helm.chart.content.v1.tar+gzip', 'application/tar+gzip']
const mostManifestBytes = 4_000_000
const mostTagPages = 100

/** `oci://registry.example.com/charts` and `redis`. Throws `ChartSourceError`. */
export function repositoryOf(url: string, name: string): Repository {
  const found = /^oci:\/\/(?:[^@/]*@)?([A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9a-fA-F:]+\](?::\d{1,5})?)((?:\/[^/]+)*)\/*$/.exec(url)
  const path = `${found?.[2] ?? ''}/${name}`.slice(1)
  if (found === null || !/^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/.test(path))
    throw new ChartSourceError(
      'InvalidChart',
      `${url}/${name}: is no name of an OCI repository; write oci://host/path in lower case`,
    )
  return { host: (found[1] ?? '').toLowerCase(), path }
}

export function tagOf(version: string): string {
  return version.replaceAll('+', '_')
}

/** All tags. */
export async function tagsOf(repository: Repository, session: Session): Promise<string[]> {
  const registry = new Registry(repository, session)
  const tags: string[] = []
  let next: string | null = `/v2/${repository.path}/tags/list?n=1000`
  for (let page = 0; next !== null && page < mostTagPages; page++) {
    const answer: Answer = await registry.get(next, 'application/json', 10_000_000)
    const listed = fieldOf(jsonOf(answer.body, session.what), 'tags')
    tags.push(...(Array.isArray(listed) ? listed : []).filter((tag): tag is string => typeof tag === 'string'))
    const link: string | undefined = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(answer.headers.link ?? ''))?.[1]
    next = link === undefined ? null : registry.within(link)
  }
  return tags
}

/** The packed chart behind a tag; every digest on the way holds. */
export async function pull(repository: Repository, tag: string, session: Session): Promise<Buffer> {
  return (await pullNew(repository, tag, async () => false, session)).bytes!
}

export interface Pulled {
  /** `sha256:...` or `sha512:...`, of the packed chart. */
  readonly digest: string
  /** null: `isKnown` said that it is here. */
  readonly bytes: Buffer | null
}

/** The same, but for content that is here. */
export async function pullNew(
  repository: Repository,
  tag: string,
  isKnown: (digest: string) => Promise<boolean>,
  session: Session,
): Promise<Pulled> {
  const registry = new Registry(repository, session)
  const answer = await registry.get(`/v2/${repository.path}/manifests/${tag}`, manifestType, mostManifestBytes)
  const told = answer.headers['docker-content-digest']
  if (typeof told === 'string') checkDigest(answer.body, told, session.what)
  const layer = chartLayer(jsonOf(answer.body, session.what), session)
  if (await isKnown(layer.digest)) return { digest: layer.digest, bytes: null }
  const blob = await registry.get(`/v2/${repository.path}/blobs/${layer.digest}`, '*/*', session.maxBytes)
  checkDigest(blob.body, layer.digest, session.what)
  return { digest: layer.digest, bytes: blob.body }
}

interface Layer {
  readonly digest: string
}

function chartLayer(manifest: unknown, { what, maxBytes }: Session): Layer {
  const config = fieldOf(fieldOf(manifest, 'config'), 'mediaType')
  const layers = fieldOf(manifest, 'layers')
  const found = layerTypes.flatMap(type =>
    (Array.isArray(layers) ? layers : []).filter(layer => fieldOf(layer, 'mediaType') === type),
  )[0]
  const digest = fieldOf(found, 'digest')
  if (config !== configType || typeof digest !== 'string')
    throw new ChartSourceError('ChartRefused', `${what}: what the registry has there is no Helm chart (${String(config)})`, true)
  if (!/^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/.test(digest))
    throw new ChartSourceError('ChartRefused', `${what}: the digest of its content cannot be read`, true)
  if (Number(fieldOf(found, 'size')) > maxBytes)
    throw new ChartSourceError(
      'ChartTooLarge',
      `${what}: has more than ${Math.round(maxBytes / 1e6)} MB, which is not taken`,
      true,
    )
  return { digest }
}

/** `sha256:...` or `sha512:...`. */
export function checkDigest(bytes: Uint8Array, digest: string, what: string): void {
  const [algorithm = '', wanted = ''] = digest.split(':')
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return
  const is = createHash(algorithm).update(bytes).digest('hex')
  if (is !== wanted)
    throw new ChartSourceError(
      'ChartRefused',
      `${what}: wrong digest: ${digest} was announced, ${algorithm}:${is} came; nothing of it is used. Publish it again, or ask who did`,
      true,
    )
}

function jsonOf(body: Buffer, what: string): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new ChartSourceError('ChartRefused', `${what}: the registry's answer is no JSON; is it an OCI registry?`, true)
  }
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}

/** One repository for the time of one question: asks without credentials, and again as the registry wants it. */
class Registry {
  readonly #repository: Repository
  readonly #session: Session
  readonly #base: string
  #authorization: string | null = null
  constructor(repository: Repository, session: Session) {
    this.#repository = repository
    this.#session = session
    const url = { host: repository.host }
    const hostname = repository.host.replace(/:\d+$/, '')
    const scheme = isLoopback(hostname) || allowsPlain(session.reach, url) ? 'http' : 'https'
    this.#base = new URL(`${scheme}://${repository.host}`).origin
  }

  /** A page's path; only of this registry. */
  within(link: string): string | null {
    if (!URL.canParse(link, this.#base)) return null
    const url = new URL(link, this.#base)
    return url.origin === this.#base ? url.pathname + url.search : null
  }

  async get(path: string, accept: string, maxBytes: number): Promise<Answer> {
    const first = await this.#ask(path, accept, maxBytes)
    const challenge = first.headers['www-authenticate']
    if (first.status !== 401 || challenge === undefined) return this.#good(first)
    this.#authorization = await this.#answerTo(challenge)
    return this.#good(await this.#ask(path, accept, maxBytes))
  }

  #good(answer: Answer): Answer {
    if (answer.status === 200) return answer
    throw ofStatus(answer.status, this.#session.what, answer.waitMs)
  }

  #ask(path: string, accept: string, maxBytes: number): Promise<Answer> {
    const { reach, what, signal } = this.#session
    const authorization = (url: URL): string | null => (url.origin === this.#base ? this.#authorization : null)
    return ask({ url: new URL(this.#base + path), what, accept, maxBytes, authorization, reach, signal })
  }

  #login(): Login | null {
    const { host, path } = this.#repository
    const access =
      accessFor(this.#session.reach, `oci://${host}/${path}`) ?? accessFor(this.#session.reach, `https://${host}/${path}`)
    if (access !== null && access.username !== '')
      return { username: access.username, password: access.password, identityToken: '' }
    return dockerLogin(this.#session.reach, `${host}/${path}`)
  }

  /** What the registry wants in answer to its challenge; null: there is nothing to give. */
  async #answerTo(challenge: string): Promise<string | null> {
    const login = this.#login()
    const [, scheme = '', rest = ''] = /^\s*(\w+)\s*(.*)$/s.exec(challenge) ?? []
    if (scheme.toLowerCase() === 'basic') return login === null ? null : basic(login)
    if (scheme.toLowerCase() !== 'bearer') return null
    return `Bearer ${await this.#token(parametersOf(rest), login)}`
  }

  async #token(parameters: Readonly<Record<string, string>>, login: Login | null): Promise<string> {
    const { reach, what, signal } = this.#session
    const realm = parameters.realm ?? ''
    if (!URL.canParse(realm))
      throw new ChartSourceError('ChartRefused', `${what}: the registry names no address to get a token from`, true)
    const url = new URL(realm)
    const scope = `repository:${this.#repository.path}:pull`
    const common = { what, accept: 'application/json', maxBytes: 1_000_000, reach, signal }
    if (login !== null && login.identityToken !== '') {
      const form = {
        grant_type: 'refresh_token',
        service: parameters.service ?? '',
        client_id: 'slipway',
        scope,
        refresh_token: login.identityToken,
      }
      return this.#tokenIn(await ask({ ...common, url, authorization: () => null, form }))
    }
    if (parameters.service !== undefined) url.searchParams.set('service', parameters.service)
    url.searchParams.set('scope', scope)
    const authorization = (to: URL): string | null => (login !== null && to.origin === url.origin ? basic(login) : null)
    return this.#tokenIn(await ask({ ...common, url, authorization }))
  }

  #tokenIn(answer: Answer): string {
    const json = jsonOf(this.#good(answer).body, this.#session.what)
    const token = fieldOf(json, 'token') ?? fieldOf(json, 'access_token')
    if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
    throw new ChartSourceError('ChartRefused', `${this.#session.what}: the registry gave no token`, true)
  }
}

function basic({ username, password }: Login): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`
}

/** `realm="https://auth",service="registry",scope="..."` */
function parametersOf(text: string): Readonly<Record<string, string>> {
  const found = text.matchAll(/([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)
  return Object.fromEntries(
    [...found].map(([, key = '', text, word]) => [key.toLowerCase(), (text ?? word ?? '').replace(/\\(.)/g, '$1')]),
  )
}
