// An HTTP probe as the kubelet makes it (pkg/probe/http): 200-399 is success, TLS is not verified, no connection is kept.
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import type { HandlerSpec } from '../pods/types.js'
import { type Answer, readAnswer } from './answer.js'
import type { ProbeAnswer } from './threshold.js'

type HttpGet = Extract<HandlerSpec, { kind: 'httpGet' }>

const redirectLimit = 10

export interface ProbedPod {
  /** The pod's address. */
  readonly ip: string
}

/** Redirects are within the same `timeoutMs`. */
export async function checkHttp(handler: HttpGet, pod: ProbedPod, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  const until = performance.now() + timeoutMs
  let asked = firstOf(handler, pod)
  const host = asked.url.hostname
  try {
    for (let redirects = 0; redirects <= redirectLimit; redirects++) {
      const { status, location, body } = await get(asked, until - performance.now(), signal)
      const next =
        status >= 300 && status < 400 && location !== undefined && URL.canParse(location, asked.url.href)
          ? new URL(location, asked.url)
          : null
      // A redirect to elsewhere says that this server answers: the kubelet warns, and counts it as success.
      if (next === null || next.hostname !== host) return verdict(asked.url, status, body)
      asked = askedOf(next, handler.headers)
    }
    return { ok: false, message: `GET ${asked.url.href}: stopped after ${redirectLimit} redirects` }
  } catch (error) {
    const text = error instanceof LateError || signal.aborted ? `no answer within ${timeoutMs} ms` : (error as Error).message
    return { ok: false, message: `GET ${asked.url.href}: ${text}` }
  }
}

function verdict(url: URL, status: number, body: string): ProbeAnswer {
  if (status >= 200 && status < 400) return { ok: true, message: '' }
  return { ok: false, message: `GET ${url.href}: HTTP ${status}${body === '' ? '' : `: ${body.trim().slice(0, 200)}`}` }
}

interface Asked {
  readonly url: URL
  /** The request as it is sent, or what no header may hold. */
  readonly request: string | Error
}

/** Of each container's worker: pods of one template share their handler, and differ in their address. */
const firsts = new WeakMap<ProbedPod, Asked & { readonly handler: HttpGet }>()

/** A container is asked the same as long as it lives. */
function firstOf(handler: HttpGet, pod: ProbedPod): Asked {
  const known = firsts.get(pod)
  if (known?.handler === handler) return known
  const origin = `${handler.scheme.toLowerCase()}://${bracketed(handler.host || pod.ip)}:${handler.port}`
  const url = new URL(handler.path.startsWith('/') ? handler.path : `/${handler.path}`, origin)
  const first = { handler, ...askedOf(url, handler.headers) }
  firsts.set(pod, first)
  return first
}

function askedOf(url: URL, headers: HttpGet['headers']): Asked {
  try {
    return { url, request: requestOf(url, headers) }
  } catch (error) {
    return { url, request: error as Error }
  }
}

class LateError extends Error {}

function get({ url, request }: Asked, withinMs: number, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    if (typeof request !== 'string') throw request
    let received: Buffer = Buffer.alloc(0)
    let isOver = false
    const over = (): void => {
      isOver = true
      clearTimeout(clock)
      signal.removeEventListener('abort', abort)
      socket.destroy()
    }
    const fail = (error: Error): void => {
      over()
      reject(error)
    }
    const take = (ended: boolean): void => {
      try {
        const answer = readAnswer(received, ended)
        if (answer === null) return
        over()
        resolve(answer)
      } catch (error) {
        fail(error as Error)
      }
    }
    const receive = (bytes: Uint8Array): void => {
      received = Buffer.concat([received, bytes])
      if (!isOver) take(false)
    }
    const abort = (): void => fail(signal.reason)
    const socket = connectTo(url, receive)
    const clock = setTimeout(() => fail(new LateError()), withinMs)
    signal.addEventListener('abort', abort, { once: true })
    socket.on('error', fail)
    socket.once('close', () => !isOver && take(true))
    socket.write(request, 'latin1')
  })
}

/** One buffer for all of them: what came in it is copied at once. */
const receiving = Buffer.allocUnsafe(16 * 1024)

function connectTo(url: URL, receive: (bytes: Uint8Array) => void): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.protocol === 'https:') {
    const servername = isIP(host) === 0 ? { servername: host } : {}
    return connectSecurely({ host, port: Number(url.port || 443), rejectUnauthorized: false, ...servername }).on('data', receive)
  }
  if (url.protocol !== 'http:') throw new Error('neither http nor https')
  const callback = (length: number, buffer: Uint8Array): boolean => {
    receive(buffer.subarray(0, length))
    return true
  }
  return connect({ host, port: Number(url.port || 80), onread: { buffer: receiving, callback } })
}

/** Throws on what no header may hold. */
function requestOf(url: URL, headers: HttpGet['headers']): string {
  const lines = [...headerMap(url, headers)].flatMap(([name, values]) => {
    validateHeaderName(name)
    return values.map(value => {
      validateHeaderValue(name, value)
      return `${name}: ${value}\r\n`
    })
  })
  return `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** The kubelet's own headers, unless the probe names them: an empty value takes a header away. */
function headerMap(url: URL, headers: HttpGet['headers']): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, readonly string[]>([
    ['host', [url.host]],
    ['user-agent', ['kube-probe/1.36']],
    ['accept', ['*/*']],
    ['connection', ['close']],
  ])
  const named = new Map<string, string[]>()
  for (const { name, value } of headers) named.set(name.toLowerCase(), [...(named.get(name.toLowerCase()) ?? []), value])
  for (const [name, values] of named) map.set(name, values)
  return new Map([...map].filter(([, values]) => values.some(value => value !== '')))
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
