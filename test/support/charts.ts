// Charts where others publish them: put into a real registry by its own API, and an http server for a repository with an index.yaml.
import { execFileSync } from 'node:child_process'
import { createHash, createSign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Access, Reach } from '../../controller/charts/access.js'
import { chartGetter, type PackedChart } from '../../controller/charts/charts.js'
import type { ChartSourceError } from '../../controller/charts/errors.js'
import { type ChartStore, type Found, openChartStore } from '../../controller/charts/store.js'
import { pack } from '../../renderer/chart/pack.js'
import { answerTo, helmTemplate, type Need } from '../../renderer/index.js'
import { requestOf } from './helm-flags.js'

export interface TestChart {
  readonly name: string
  readonly version: string
  /** Beside Chart.yaml. */
  readonly files?: Readonly<Record<string, string>>
}

/** With a ConfigMap that says which version rendered, where nothing else is given. */
export function packed({ name, version, files }: TestChart): Buffer {
  const all = {
    'Chart.yaml': `apiVersion: v2\nname: ${name}\nversion: ${version}\n`,
    ...(files ?? { 'templates/map.yaml': versionMap }),
  }
  return Buffer.from(
    pack(
      name,
      Object.entries(all).map(([path, text]) => ({ name: path, bytes: Buffer.from(text) })),
    ),
  )
}

export const versionMap =
  'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}-{{ .Chart.Name }}" }\ndata: { version: "{{ .Chart.Version }}" }\n'

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export interface Put {
  readonly host: string
  /** `team/charts/redis` */
  readonly repository: string
  readonly tag: string
  readonly archive: Buffer
  readonly authorization?: string
  readonly configType?: string
}

/** As `helm push` leaves it there: config, one layer, manifest. Gives the layer's digest. */
export async function putChart(put: Put): Promise<string> {
  const { host, repository, tag, archive, configType = 'application/vnd.cncf.helm.config.v1+json' } = put
  const headers = put.authorization === undefined ? {} : { authorization: put.authorization }
  const config = Buffer.from(JSON.stringify({ name: repository.split('/').at(-1), version: tag.replace('_', '+') }))
  const descriptor = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length })
  const manifest = {
    schemaVersion: 2,
    config: descriptor(configType, config),
    layers: [descriptor('application/vnd.cncf.helm.chart.content.v1.tar+gzip', archive)],
  }
  for (const blob of [config, archive]) {
    const begun = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers })
    const location = new URL(begun.headers.get('location') ?? '', `http://${host}`)
    location.searchParams.set('digest', `sha256:${sha256(blob)}`)
    await good(
      fetch(location, {
        method: 'PUT',
        headers: { ...headers, 'content-type': 'application/octet-stream' },
        body: new Uint8Array(blob),
      }),
    )
  }
  await good(
    fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
      body: JSON.stringify(manifest),
    }),
  )
  return `sha256:${sha256(archive)}`
}

async function good(answer: Promise<Response>): Promise<void> {
  const { status } = await answer
  if (status >= 300) throw new Error(`the registry answers ${status}`)
}

export interface Seen {
  readonly method: string
  readonly url: string
  readonly authorization: string
  readonly host: string
}

export interface WebServer {
  readonly port: number
  /** `http://127.0.0.1:4711` */
  readonly url: string
  readonly seen: Seen[]
  /** What to answer; changed by tests as they go. */
  answer: (request: Seen, response: ServerResponse) => void
  stop(): Promise<void>
}

/** `tls`: PEM of key and certificate. */
export async function startWebServer(
  answer: WebServer['answer'],
  tls: { readonly key: string; readonly cert: string } | null = null,
): Promise<WebServer> {
  const seen: Seen[] = []
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const one = {
      method: request.method ?? '',
      url: request.url ?? '',
      authorization: request.headers.authorization ?? '',
      host: request.headers.host ?? '',
    }
    seen.push(one)
    request.resume()
    server.answer(one, response)
  }
  const listening = tls === null ? createServer(handle) : createSecureServer(tls, handle)
  await new Promise<void>(resolve => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as AddressInfo
  const server: WebServer = {
    port,
    url: `${tls === null ? 'http' : 'https'}://127.0.0.1:${port}`,
    seen,
    answer,
    stop: () =>
      new Promise(resolve => {
        listening.close(() => resolve())
        listening.closeAllConnections()
      }),
  }
  return server
}

/** Files by path; 404 for others. */
export function filesAnswer(files: Readonly<Record<string, string | Buffer>>): WebServer['answer'] {
  return ({ url }, response) => {
    const body = files[url.replace(/\?.*$/, '')]
    response.statusCode = body === undefined ? 404 : 200
    response.end(body ?? 'not found')
  }
}

export function basicText(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** A registry's token as Docker's specification has it (RS256, the certificate in its head). */
export function registryToken(
  scope: { readonly repository: string; readonly actions: readonly string[] },
  signer: Signer,
): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const der = signer.certificate.replace(/-----[^-]+-----|\s/g, '')
  const now = Math.floor(Date.now() / 1000)
  const head = encode({ typ: 'JWT', alg: 'RS256', x5c: [der] })
  const claims = encode({
    iss: signer.issuer,
    sub: '',
    aud: signer.service,
    exp: now + 300,
    nbf: now - 60,
    iat: now,
    jti: String(now),
    access: [{ type: 'repository', name: scope.repository, actions: scope.actions }],
  })
  const signature = createSign('RSA-SHA256').update(`${head}.${claims}`).sign(signer.key).toString('base64url')
  return `${head}.${claims}.${signature}`
}

export interface Signer {
  readonly issuer: string
  readonly service: string
  readonly key: string
  /** PEM */
  readonly certificate: string
}

export const access = (changes: Partial<Access> & { readonly url: string }): Access => ({
  username: '',
  password: '',
  ca: '',
  passCredentials: false,
  plainHTTP: false,
  ...changes,
})

export const reachOf = (...accesses: readonly Access[]): Reach => ({ accesses, docker: {}, network: 'public' })

let stores = 0
export function emptyStore(work: string): ChartStore {
  return openChartStore({ directory: join(work, `store-${stores++}`), now: Date.now })
}

/** Reads in this process what the product reads in a child. */
export function getter(reach: Reach, store: ChartStore): (need: Need, pin?: Found | null) => Promise<PackedChart> {
  const get = chartGetter({ store, reach: () => reach, read: async question => answerTo(question) })
  return (need, pin = null) => get(need, pin, new AbortController().signal)
}

export type Told = Pick<ChartSourceError, 'reason' | 'message' | 'transient'>

/** What a failure says. */
export async function told(work: Promise<unknown>): Promise<Told> {
  const error = await work.then(
    () => null,
    (cause: ChartSourceError) => cause,
  )
  const { reason, message, transient } = error ?? {}
  return { reason: reason as Told['reason'], message: message ?? 'nothing was refused', transient: transient ?? false }
}

/** Made by the chart functions themselves. */
export function certificate(): { readonly key: string; readonly cert: string } {
  const template =
    '{{ $c := genSelfSignedCert "127.0.0.1" (list "127.0.0.1") (list "localhost") 2 }}{{ toJson (dict "kind" "K" "key" $c.Key "cert" $c.Cert) }}'
  const { text } = helmTemplate({
    ...requestOf([]),
    chart: { archive: packed({ name: 'c', version: '1.0.0', files: { 'templates/c.yaml': template } }) },
    name: 'c',
    namespace: 'c',
    valueFiles: [],
    chance: { random: count => crypto.getRandomValues(new Uint8Array(count)), now: Date.now() },
  })
  return JSON.parse(text.slice(text.indexOf('{'))) as { key: string; cert: string }
}

/** The real Helm 3 of this machine (PATH or Go's own place for programs); undefined where there is none. */
export function realHelm(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), join(homedir(), 'go/bin')]
  return folders
    .map(folder => join(folder, 'helm'))
    .find(path => {
      try {
        const version = execFileSync(path, ['version', '--short'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
        return version.startsWith('v3')
      } catch {
        return false
      }
    })
}
