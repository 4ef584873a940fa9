// isomorphic-git's way to a server: undici with connections kept alive, a deadline, a limit on bytes, and redirects that
// never carry credentials to another host.
import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git'
import { type Dispatcher, request } from 'undici'
import { SourceError } from './errors.js'
import { maskUrl } from './url.js'

export interface Exchange {
  readonly dispatcher: Dispatcher
  /** Ends every request of this exchange: the caller's signal with the deadline of the whole. */
  readonly signal: AbortSignal
  readonly maxBytes: number
  /** `Authorization`, or null; sent to the first request's host only. */
  readonly authorization: string | null
}

const maxRedirects = 3

/** One client for one operation. Throws SourceError `RepositoryTooLarge` and `RedirectRefused`, and undici's errors. */
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
        async target =>
          request(target, {
            method,
            body,
            headers: { ...asked.headers, ...(exchange.authorization === null ? {} : { authorization: exchange.authorization }) },
            dispatcher: exchange.dispatcher,
            signal: exchange.signal,
          }),
        exchange.authorization !== null,
      )
      return {
        url,
        method,
        headers: flat(answer.headers),
        body: counted(answer.body, url),
        statusCode: answer.statusCode,
        statusMessage: '',
      }
    },
  }
}

async function follow(
  start: string,
  ask: (url: string) => Promise<Dispatcher.ResponseData>,
  withCredentials: boolean,
): Promise<{ url: string; answer: Dispatcher.ResponseData }> {
  let url = start
  for (let hops = 0; ; hops++) {
    const answer = await ask(url)
    const location = answer.headers.location
    if (![301, 302, 303, 307, 308].includes(answer.statusCode) || typeof location !== 'string') return { url, answer }
    await answer.body.dump({ limit: 65_536 }).catch(() => {})
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

function flat(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const pairs = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')])
  return Object.fromEntries(pairs) as Record<string, string>
}
