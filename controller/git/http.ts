// isomorphic-git's way to a server: connections kept alive, a deadline, a limit on bytes, and redirects that never carry
// credentials to another host.
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest, Agent as SecureAgent } from 'node:https'
import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git'
import { SourceError } from './errors.js'
import { maskUrl } from './url.js'

/** The connections that wait for their next request. */
export interface Connections {
  readonly plain: Agent
  readonly secure: SecureAgent
  close(): void
}

export interface Exchange {
  readonly connections: Connections
  /** Ends every request of this exchange: the caller's signal with the deadline of the whole. */
  readonly signal: AbortSignal
  readonly maxBytes: number
  /** `Authorization`, or null; sent to the first request's host only. */
  readonly authorization: string | null
}

const maxRedirects = 3
/** How long a connection waits; a server that says that it waits for less is believed. */
const keepMs = 30_000
const connectMs = 10_000
/** To the answer's head, and between its bytes. */
const silenceMs = 60_000
const maxHeaderBytes = 32_768

export function openConnections(): Connections {
  const options = { keepAlive: true, timeout: keepMs }
  const [plain, secure] = [new Agent(options), new SecureAgent(options)]
  return {
    plain,
    secure,
    close() {
      plain.destroy()
      secure.destroy()
    },
  }
}

/** One client for one operation. Throws SourceError `RepositoryTooLarge` and `RedirectRefused`, and the network's errors. */
export function httpClient(exchange: Exchange): HttpClient {
  let received = 0
  async function* counted(body: AsyncIterable<Uint8Array>, url: string): AsyncIterableIterator<Uint8Array> {
    for await (const chunk of body) {
      received += chunk.byteLength
      if (received > exchange.maxBytes) throw tooLarge(url, exchange.maxBytes)
      yield chunk
    }
  }
  return {
    async request(asked: GitHttpRequest): Promise<GitHttpResponse> {
      const method = asked.method === 'POST' ? 'POST' : 'GET'
      const body = method === 'POST' ? await collect(asked.body) : null
      const { url, answer } = await follow(
        asked.url,
        target =>
          ask(target, exchange, {
            method,
            body,
            headers: { ...asked.headers, ...(exchange.authorization === null ? {} : { authorization: exchange.authorization }) },
          }),
        exchange.authorization !== null,
      )
      return {
        url,
        method,
        headers: flat(answer.headers),
        body: counted(answer, url),
        statusCode: answer.statusCode ?? 0,
        statusMessage: '',
      }
    },
  }
}

interface Asked {
  readonly method: 'GET' | 'POST'
  readonly body: Buffer | null
  readonly headers: Readonly<Record<string, string>>
}

/** One request, until the head of its answer. What was not heard on a connection that had waited is asked once more. */
async function ask(url: string, exchange: Exchange, asked: Asked): Promise<IncomingMessage> {
  const isSecure = new URL(url).protocol === 'https:'
  const { plain, secure } = exchange.connections
  const options: RequestOptions = { method: asked.method, headers: asked.headers, maxHeaderSize: maxHeaderBytes }
  const begin = () =>
    isSecure ? httpsRequest(url, { ...options, agent: secure }) : httpRequest(url, { ...options, agent: plain })
  const first = begin()
  return answerOf(first, asked.body, exchange.signal).catch(error => {
    if (asked.method !== 'GET' || !first.reusedSocket || error.code !== 'ECONNRESET') throw error
    return answerOf(begin(), asked.body, exchange.signal)
  })
}

/** The signal and the limits go on to hold for the body. */
function answerOf(asked: ClientRequest, body: Buffer | null, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let answer: IncomingMessage | null = null
    const stop = (reason: Error): void => {
      answer?.destroy(reason)
      asked.destroy(reason)
    }
    const abort = (): void => stop(signal.reason)
    asked.on('error', reject)
    asked.once('close', () => signal.removeEventListener('abort', abort))
    asked.on('timeout', () => stop(late()))
    asked.setTimeout(silenceMs)
    asked.once('socket', socket => {
      if (!socket.connecting) return
      const clock = setTimeout(() => stop(late()), connectMs)
      for (const over of ['connect', 'close']) socket.once(over, () => clearTimeout(clock))
    })
    asked.once('response', response => {
      answer = response
      // Heard by whoever reads it; an answer that nobody reads any more must not end the process.
      response.on('error', () => {})
      resolve(response)
    })
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    else asked.end(body ?? undefined)
  })
}

function late(): Error {
  return Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })
}

async function follow(
  start: string,
  ask: (url: string) => Promise<IncomingMessage>,
  withCredentials: boolean,
): Promise<{ url: string; answer: IncomingMessage }> {
  let url = start
  for (let hops = 0; ; hops++) {
    const answer = await ask(url)
    const location = answer.headers.location
    if (![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) || location === undefined) return { url, answer }
    answer.destroy()
    const next = new URL(location, url)
    if (hops >= maxRedirects) throw refused(url, next, 'it redirects in circles')
    if (withCredentials && !isSameServer(new URL(url), next))
      throw refused(url, next, 'credentials are not sent to another server')
    if (!/^https?:$/.test(next.protocol)) throw refused(url, next, 'only http and https are followed')
    url = next.href
  }
}

/** The same origin, or the same host name moved up from http to https. */
function isSameServer(from: URL, to: URL): boolean {
  return from.origin === to.origin || (from.protocol === 'http:' && to.protocol === 'https:' && from.hostname === to.hostname)
}

function refused(from: string, to: URL, why: string): SourceError {
  return new SourceError(
    'RedirectRefused',
    `${repositoryOf(from)} redirects to ${to.protocol}//${to.host}, which was not followed: ${why}; put the final address in spec.source.repoURL`,
  )
}

function tooLarge(url: string, maxBytes: number): SourceError {
  const limit = `${Math.round(maxBytes / 1_048_576)} MB`
  return new SourceError(
    'RepositoryTooLarge',
    `${repositoryOf(url)} sent more than ${limit} at once: make the repository smaller`,
  )
}

function repositoryOf(url: string): string {
  return maskUrl(url.replace(/\/(info\/refs|git-(upload|receive)-pack)(\?.*)?$/, ''))
}

async function collect(body: GitHttpRequest['body']): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function flat(headers: IncomingMessage['headers']): Record<string, string> {
  const pairs = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')])
  return Object.fromEntries(pairs) as Record<string, string>
}
