// A little image registry over http (distribution API, what a pull needs of it) that can be busy, closed, or claim what it does not
// have. Loopback, which engines take without TLS.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type ImageParts, sha256 } from '../../runtime/docker/image-archive.js'

export interface ImageServer {
  /** `127.0.0.1:5000` */
  readonly host: string
  /** Set at any time; each request looks at them. `status`: answered instead of anything, 0 for none. */
  readonly faults: { status: number }
  /** Method and path of every request so far. */
  readonly requests: readonly string[]
  /** Puts the image there as `<host>/<name>` (`web:1`); gives that. */
  put(name: string, parts: ImageParts): string
  /** One whose only layer is said to have so many bytes; of it only the first few megabytes ever come. */
  claim(name: string, parts: ImageParts, layerBytes: number): string
  close(): Promise<void>
}

interface Blob {
  readonly content: Buffer
  readonly type: string
  /** What it is said to have. */
  readonly bytes: number
}

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json'
const configType = 'application/vnd.docker.container.image.v1+json'
const layerType = 'application/vnd.docker.image.rootfs.diff.tar'

/** With an account, nobody else may look. */
export async function startImageServer(account?: { readonly username: string; readonly password: string }): Promise<ImageServer> {
  const blobs = new Map<string, Blob>()
  const tags = new Map<string, string>()
  const faults = { status: 0 }
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (faults.status > 0) return refuse(response, faults.status)
    if (account !== undefined && !isOf(account, request)) return refuse(response, 401)
    answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, repository = '', kind = '', wanted = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? []
    if (kind === '') return void response.writeHead(200, { 'docker-distribution-api-version': 'registry/2.0' }).end('{}')
    const digest = wanted.startsWith('sha256:') ? wanted : tags.get(`${repository}:${wanted}`)
    const blob = blobs.get(digest ?? '')
    if (blob === undefined) return refuse(response, 404)
    response.writeHead(200, {
      'content-type': blob.type,
      'content-length': blob.bytes,
      'docker-content-digest': digest,
    })
    if (request.method === 'HEAD') return void response.end()
    response.write(blob.content)
    if (blob.bytes === blob.content.length) return void response.end()
    for (let sent = 0; sent < 8 && !response.destroyed; sent++) {
      response.write(Buffer.alloc(1 << 20))
      await delay(50)
    }
  }

  function add(content: Buffer, type: string, digest = `sha256:${sha256(content)}`, bytes = content.length) {
    blobs.set(digest, { content, type, bytes })
    return { mediaType: type, size: bytes, digest }
  }

  function tagged(name: string, config: object, layer: object): string {
    const manifest = { schemaVersion: 2, mediaType: manifestType, config, layers: [layer] }
    tags.set(name, add(Buffer.from(JSON.stringify(manifest)), manifestType).digest)
    return `${host}/${name}`
  }

  return {
    host,
    faults,
    requests,
    put: (name, { config, layer }) => tagged(name, add(config, configType), add(layer, layerType)),
    claim(name, { config, layer }, layerBytes) {
      const digest = `sha256:${sha256(Buffer.concat([layer, Buffer.from(name)]))}`
      return tagged(name, add(config, configType), add(layer, layerType, digest, layerBytes))
    },
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function isOf({ username, password }: { username: string; password: string }, request: IncomingMessage): boolean {
  return request.headers.authorization === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

const codes: Readonly<Record<number, string>> = { 401: 'UNAUTHORIZED', 404: 'MANIFEST_UNKNOWN', 429: 'TOOMANYREQUESTS' }

function refuse(response: ServerResponse, status: number): void {
  const code = codes[status] ?? 'UNKNOWN'
  const message = code.toLowerCase().replace('_', ' ')
  response
    .writeHead(status, {
      'content-type': 'application/json',
      ...(status === 401 ? { 'www-authenticate': 'Basic realm="images"' } : {}),
    })
    .end(JSON.stringify({ errors: [{ code, message }] }))
}
