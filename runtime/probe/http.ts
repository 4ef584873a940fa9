// An HTTP probe as the kubelet makes it (pkg/probe/http): 200-399 is success, TLS is not verified, no connection is kept.
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import type { HandlerSpec } from '../pods/types.js'
import { type Answer, readAnswer } from './answer.js'
import type { ProbeAnswer } from './threshold.js'

type HttpGet = Extract<HandlerSpec, { kind: 'httpGet' }>

const redirectLimit = 10

export async function checkHttp(handler: HttpGet, ip: string, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  const origin = `${handler.scheme.toLowerCase()}://${bracketed(handler.host || ip)}:${handler.port}`
  let url = new URL(handler.path.startsWith('/') ? handler.path : `/${handler.path}`, origin)
  const host = url.hostname
  try {
    for (let redirects = 0; redirects <= redirectLimit; redirects++) {
      const { status, location, body } = await get(url, handler, signal)
      const next =
        status >= 300 && status < 400 && location !== undefined && URL.canParse(location, url.href)
          ? new URL(location, url)
          : null
      // A redirect to elsewhere says that this server answers: the kubelet warns, and counts it as success.
      if (next === null || next.hostname !== host) return verdict(url, status, body)
      url = next
    }
    return { ok: false, message: `GET ${url.href}: stopped after ${redirectLimit} redirects` }
  } catch (error) {
    const text = signal.aborted ? `no answer within ${timeoutMs} ms` : (error as Error).message
    return { ok: false, message: `GET ${url.href}: ${text}` }
  }
}

function verdict(url: URL, status: number, body: string): ProbeAnswer {
  if (status >= 200 && status < 400) return { ok: true, message: '' }
  return { ok: false, message: `GET ${url.href}: HTTP ${status}${body === '' ? '' : `: ${body.trim().slice(0, 200)}`}` }
}

function get(url: URL, handler: HttpGet, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const asked = requestOf(url, handler.headers)
    let received: Buffer = Buffer.alloc(0)
    let isOver = false
    const take = (ended: boolean): void => {
      try {
        const answer = readAnswer(received, ended)
        if (answer === null) return
        resolve(answer)
      } catch (error) {
        reject(error)
      }
      isOver = true
      socket.destroy()
    }
    const receive = (bytes: Uint8Array): void => {
      received = Buffer.concat([received, bytes])
      if (!isOver) take(false)
    }
    const abort = (): void => void socket.destroy(signal.reason)
    const socket = connectTo(url, receive)
    socket.once('error', reject)
    socket.once('close', hadError => {
      signal.removeEventListener('abort', abort)
      if (!isOver && !hadError) take(true)
    })
    signal.addEventListener('abort', abort, { once: true })
    socket.write(asked, 'latin1')
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
