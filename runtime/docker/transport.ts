// HTTP to a container engine over a unix socket or TCP: time limits, cancellation and errors that classify.
import { type Dispatcher, Pool } from 'undici'
import { EngineError, kindOf } from './errors.js'

/** Everything the engine is asked with a body or an answer of its own. Paths come without the version. */
export interface Ask {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly json?: unknown
  readonly body?: { readonly type: string; readonly content: Buffer | AsyncIterable<Uint8Array> }
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds to the answer's headers and between its bytes; 0: as long as it takes. Default 30 s. */
  readonly limitMs?: number
  readonly signal?: AbortSignal | undefined
  /** What is being done, for errors: `starting container slipway_shop_web`. */
  readonly doing: string
}

export interface Transport {
  /** The answer's body as a stream; statuses from 400 on throw EngineError. */
  open(ask: Ask): Promise<Dispatcher.ResponseData>
  /** The answer read and parsed; undefined where it was empty or 304. */
  json<T>(ask: Ask): Promise<T>
  close(): Promise<void>
}

/** `unix:///run/docker.sock`, `tcp://10.0.0.5:2375`, `http://...`. Throws on anything else. */
export function connectTransport(host: string, versionPrefix: () => Promise<string>): Transport {
  const pool = openPool(host)
  const open = async (ask: Ask): Promise<Dispatcher.ResponseData> => {
    const response = await request(pool, ask, await versionPrefix())
    if (response.statusCode < 400) return response
    const said = errorText(await readAll(response.body, ask))
    throw new EngineError(ask.doing, kindOf(response.statusCode, said), response.statusCode, said)
  }
  return {
    open,
    json: async <T>(ask: Ask): Promise<T> => {
      const response = await open(ask)
      const text = await readAll(response.body, ask)
      return (text === '' ? undefined : JSON.parse(text)) as T
    },
    close: () => pool.destroy(),
  }
}

function openPool(host: string): Pool {
  const url = new URL(host)
  // Streams (events, logs, exec) hold connections for as long as they like: the pool has no upper bound.
  const options = { connections: null, pipelining: 1, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 10_000 }
  if (url.protocol === 'unix:') {
    return new Pool('http://engine', { ...options, connect: { socketPath: decodeURIComponent(url.pathname), timeout: 5_000 } })
  }
  if (url.protocol === 'tcp:' || url.protocol === 'http:') {
    return new Pool(`http://${url.host}`, { ...options, connect: { timeout: 5_000 } })
  }
  throw new Error(`container engine address ${host}: only unix:// and tcp:// are spoken; set DOCKER_HOST to one of these`)
}

async function request(pool: Pool, ask: Ask, prefix: string): Promise<Dispatcher.ResponseData> {
  const limitMs = ask.limitMs ?? 30_000
  const content = ask.json === undefined ? ask.body?.content : JSON.stringify(ask.json)
  const type = ask.json === undefined ? ask.body?.type : 'application/json'
  try {
    return await pool.request({
      method: ask.method,
      path: `${prefix}${ask.path}`,
      query: definedOnly(ask.query),
      headers: { ...(type === undefined ? {} : { 'content-type': type }), ...ask.headers },
      body: content ?? null,
      headersTimeout: limitMs,
      bodyTimeout: limitMs,
      signal: ask.signal ?? null,
    } as Dispatcher.RequestOptions)
  } catch (error) {
    throw classified(error, ask)
  }
}

export async function readAll(body: Dispatcher.ResponseData['body'], ask: Ask): Promise<string> {
  try {
    return await body.text()
  } catch (error) {
    throw classified(error, ask)
  }
}

/** An abort stays what its caller said it is; everything else means that the engine did not answer. */
export function classified(error: unknown, ask: Pick<Ask, 'signal' | 'doing'>): unknown {
  if (ask.signal?.aborted) return ask.signal.reason
  if (error instanceof EngineError) return error
  const text = error instanceof Error ? error.message || String((error as { code?: string }).code) : String(error)
  return new EngineError(ask.doing, 'unreachable', 0, `the container engine does not answer (${text})`, error)
}

function definedOnly(query: Ask['query']): Record<string, string> {
  const entries = Object.entries(query ?? {}).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]))
}

function errorText(body: string): string {
  try {
    const parsed = JSON.parse(body) as { message?: string; cause?: string }
    return (parsed.message ?? parsed.cause ?? body).trim()
  } catch {
    return body.trim() || 'no reason given'
  }
}
