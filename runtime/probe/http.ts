// An HTTP probe as the kubelet makes it (pkg/probe/http): 200-399 is success, TLS is not verified, no connection is kept.
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { HandlerSpec } from '../pods/types.js'
import type { ProbeAnswer } from './threshold.js'

type HttpGet = Extract<HandlerSpec, { kind: 'httpGet' }>

const bodyLimit = 10 * 1024
const redirectLimit = 10

export async function checkHttp(handler: HttpGet, ip: string, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  const origin = `${handler.scheme.toLowerCase()}://${bracketed(handler.host || ip)}:${handler.port}`
  let url = new URL(handler.path.startsWith('/') ? handler.path : `/${handler.path}`, origin)
  const host = url.hostname
  try {
    for (let redirects = 0; redirects <= redirectLimit; redirects++) {
      const { status, location, body } = await get(url, handler.headers, signal)
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

interface Got {
  readonly status: number
  readonly location: string | undefined
  readonly body: string
}

function get(url: URL, headers: HttpGet['headers'], signal: AbortSignal): Promise<Got> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const options: RequestOptions & { rejectUnauthorized: boolean } = {
    agent: false,
    headers: headerMap(headers),
    signal,
    rejectUnauthorized: false,
  }
  return new Promise((resolve, reject) => {
    const request = send(url, options, response => {
      readBody(response).then(body => {
        resolve({ status: response.statusCode ?? 0, location: response.headers.location, body })
        request.destroy()
      }, reject)
    })
    request.once('error', reject)
    request.end()
  })
}

/** The kubelet's own headers, unless the probe names them: an empty value takes a header away. */
function headerMap(headers: HttpGet['headers']): Record<string, string | string[]> {
  const map = new Map<string, string[]>([
    ['user-agent', ['kube-probe/1.36']],
    ['accept', ['*/*']],
    ['connection', ['close']],
  ])
  const named = new Map<string, string[]>()
  for (const { name, value } of headers) named.set(name.toLowerCase(), [...(named.get(name.toLowerCase()) ?? []), value])
  for (const [name, values] of named) map.set(name, values)
  const kept = [...map].filter(([, values]) => values.some(value => value !== ''))
  return Object.fromEntries(kept.map(([name, values]) => [name, values.length === 1 ? values[0]! : values]))
}

async function readBody(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part)
    size += part.length
    if (size >= bodyLimit) break
  }
  return Buffer.concat(parts).toString('utf8').slice(0, bodyLimit)
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
