// JSON over HTTP to one API server: one agent for requests and one for watches, a budget of requests, and waiting where the server says
// so. It knows no kinds; objects travel as they are, so no field is ever dropped.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import type { Access } from './access.js'

/** Any JSON object that an API server sends or takes. */
export type Sent = Readonly<Record<string, unknown>>

/** The API server's own word on a request. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  /** `AlreadyExists`, `Invalid`, `Forbidden`, ...; '' where it gave none. */
  readonly reason: string
  readonly causes: readonly { readonly field: string; readonly reason: string; readonly message: string }[]

  constructor(status: number, body: unknown, what: string) {
    const said = (typeof body === 'object' && body !== null ? body : {}) as {
      message?: string
      reason?: string
      details?: { causes?: readonly { field?: string; reason?: string; message?: string }[] }
    }
    super(said.message ?? `${what}: HTTP ${status}${typeof body === 'string' && body !== '' ? `: ${body.slice(0, 200)}` : ''}`)
    this.status = status
    this.reason = said.reason ?? ''
    this.causes = (said.details?.causes ?? []).map(cause => ({
      field: cause.field ?? '',
      reason: cause.reason ?? '',
      message: cause.message ?? '',
    }))
  }

  /** Server-side apply answers a field that the schema does not have with 500. */
  get isUnknownField(): boolean {
    return this.status === 500 && this.message.includes('field not declared in schema')
  }

  /** The request itself is wrong: the same one again cannot help. */
  get isRefusal(): boolean {
    if (this.isUnknownField) return true
    return this.status >= 400 && this.status < 500 && ![401, 408, 409, 429].includes(this.status)
  }
}

/** Nobody answered. Trying again may help. */
export class UnreachableError extends Error {
  override name = 'UnreachableError'
}

export interface Call {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
}

export interface ApiClient {
  readonly server: string
  /** Throws ApiError on any status but 2xx, UnreachableError where there was no answer. Waits and asks again on 429 and 503. */
  call(method: string, path: string, call: Call, signal: AbortSignal): Promise<Sent>
  /** The same, with the status: 201 says that there was none before. */
  send(method: string, path: string, call: Call, signal: AbortSignal): Promise<{ readonly status: number; readonly body: Sent }>
  /** The open body of a GET, for watches and logs; no time limit of its own. */
  open(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<AsyncIterable<Buffer>>
  /** When the server last answered anything, ms since 1970; 0 for never. */
  heardAt(): number
  /** Told at each new connection: another server may be behind the address by now. */
  onConnect(listener: () => void): void
  close(): Promise<void>
}

export interface ClientOptions {
  readonly access: Access
  readonly now: () => number
  /** Requests a second over time, and at once. */
  readonly budget?: { readonly perSecond: number; readonly burst: number }
  readonly random?: () => number
}

const requestMs = 60_000
/** A watch is answered at once, although nothing may come of it for long. */
const openMs = 30_000
const tries = 4
const mostWaitMs = 10_000

/** Its HTTP library is loaded with the first cluster: a controller of nodes alone does not pay for it. */
export async function createClient({
  access,
  now,
  budget = budgetOf(1_000),
  random = Math.random,
}: ClientOptions): Promise<ApiClient> {
  const { Agent, request } = await import('undici')
  const connect = { ...access.tls, timeout: 10_000, keepAlive: true }
  const requests = new Agent({
    connect,
    connections: 16,
    keepAliveTimeout: 30_000,
    headersTimeout: requestMs,
    bodyTimeout: requestMs,
  })
  const watches = new Agent({ connect, headersTimeout: openMs, bodyTimeout: 0 })
  const spend = createBudget(budget, now)
  const listeners = new Set<() => void>()
  for (const agent of [requests, watches])
    agent.on('connect', () => {
      for (const listener of listeners) listener()
    })
  let heardAt = 0

  async function once(
    method: string,
    url: string,
    call: Call,
    signal: AbortSignal,
  ): Promise<{ status: number; body: unknown; waitMs: number | null }> {
    await spend(signal)
    const headers = await headersOf(call)
    const answer = await reached(() =>
      request(url, {
        dispatcher: requests,
        method: method as Dispatcher.HttpMethod,
        headers,
        signal,
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      }),
    )
    const text = await reached(() => answer.body.text())
    heardAt = now()
    return { status: answer.statusCode, body: parsed(text), waitMs: retryAfter(answer.headers['retry-after']) }
  }

  async function headersOf({ contentType = 'application/json', accept = 'application/json', body }: Call) {
    return {
      ...(await access.headers()),
      accept,
      'user-agent': 'slipway',
      ...(body === undefined ? {} : { 'content-type': contentType }),
    }
  }

  async function reached<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      if ((cause as Error).name === 'AbortError') throw cause
      throw new UnreachableError(`${access.server} cannot be reached: ${(cause as Error).message || String(cause)}`, { cause })
    }
  }

  const client: ApiClient = {
    server: access.server,
    heardAt: () => heardAt,
    onConnect: listener => void listeners.add(listener),
    call: async (method, path, call, signal) => (await client.send(method, path, call, signal)).body,
    async send(method, path, call, signal) {
      const url = urlOf(access.server, path, call.query)
      for (let attempt = 1; ; attempt++) {
        const { status, body, waitMs } = await once(method, url, call, signal)
        if (status < 300) return { status, body: (body ?? {}) as Sent }
        const asks = status === 429 || (status === 503 && waitMs !== null)
        if (!asks || attempt === tries) throw new ApiError(status, body, `${method} ${path}`)
        await sleep(Math.min(mostWaitMs, waitMs ?? 1000 * 2 ** (attempt - 1)) * (1 + random() / 4), undefined, { signal })
      }
    },
    async open(path, query, signal) {
      const { statusCode, body } = await reached(async () =>
        request(urlOf(access.server, path, query), { dispatcher: watches, headers: await headersOf({}), signal }),
      )
      heardAt = now()
      if (statusCode >= 300) throw new ApiError(statusCode, parsed(await body.text()), `GET ${path}`)
      return body
    },
    async close() {
      await Promise.all([requests.destroy(), watches.destroy()])
    },
  }
  return client
}

function urlOf(server: string, path: string, query: Readonly<Record<string, string>> = {}): string {
  const text = new URLSearchParams(query).toString()
  return text === '' ? `${server}${path}` : `${server}${path}?${text}`
}

function parsed(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Seconds, as API servers write it; ms, or null where it says nothing. */
function retryAfter(header: string | string[] | undefined): number | null {
  const seconds = Number(Array.isArray(header) ? header[0] : (header ?? Number.NaN))
  return Number.isFinite(seconds) ? seconds * 1000 : null
}

/** Of so many requests a second: twice as many may go at once after a pause. */
export function budgetOf(perSecond: number): { readonly perSecond: number; readonly burst: number } {
  return { perSecond, burst: perSecond * 2 }
}

/** A bucket that fills with time: whoever finds it empty waits for its turn. */
function createBudget(
  { perSecond, burst }: { perSecond: number; burst: number },
  now: () => number,
): (signal: AbortSignal) => Promise<void> {
  let [left, at] = [burst, now()]
  return async signal => {
    left = Math.min(burst, left + ((now() - at) * perSecond) / 1000)
    at = now()
    left -= 1
    if (left < 0) await sleep((-left * 1000) / perSecond, undefined, { signal })
  }
}
