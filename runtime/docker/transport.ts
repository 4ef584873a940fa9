// HTTP to a container engine over a unix socket or TCP: time limits, cancellation and errors that classify.
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { stringify } from 'node:querystring'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { EngineError, kindOf } from './errors.js'

/** Everything the engine is asked with a body or an answer of its own. Paths come without the version. */
export interface Ask {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly json?: unknown
  readonly body?: { readonly type: string; readonly content: Buffer | AsyncIterable<Uint8Array> }
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds to the answer's headers and between its bytes, while they are waited for; 0: as long as it takes. Default 30 s. */
  readonly limitMs?: number
  readonly signal?: AbortSignal | undefined
  /** What is being done, for errors: `starting container slipway_shop_web`. */
  readonly doing: string
}

export interface Transport {
  /** The answer, whose body is to be read; statuses from 400 on throw EngineError. */
  open(ask: Ask): Promise<IncomingMessage>
  /** The answer read and parsed; undefined where it was empty or 304. */
  json<T>(ask: Ask): Promise<T>
  close(): Promise<void>
}

/** `unix:///run/docker.sock`, `tcp://10.0.0.5:2375`, `http://...`. Throws on anything else. */
export function connectTransport(host: string, versionPrefix: () => Promise<string>): Transport {
  const place = placeOf(host)
  // Streams (events, logs, exec) hold connections for as long as they like: there is no upper bound.
  const agent = new Agent({ keepAlive: true, timeout: keepMs })
  let closed = false
  const open = async (ask: Ask): Promise<IncomingMessage> => {
    const prefix = await versionPrefix()
    if (closed) throw classified(new Error('the connection to it was closed'), ask)
    const response = await answerTo({ ...place, agent }, ask, prefix)
    if ((response.statusCode ?? 0) < 400) return response
    const said = errorText(await readAll(response, ask))
    throw new EngineError(ask.doing, kindOf(response.statusCode ?? 0, said), response.statusCode ?? 0, said)
  }
  return {
    open,
    json: async <T>(ask: Ask): Promise<T> => {
      const said = await readAll(await open(ask), ask)
      return (said === '' ? undefined : JSON.parse(said)) as T
    },
    close: async () => {
      closed = true
      agent.destroy()
    },
  }
}

/** How long a connection waits for its next request. */
const keepMs = 10_000
const connectMs = 5_000

function placeOf(host: string): RequestOptions {
  const url = new URL(host)
  if (url.protocol === 'unix:') return { socketPath: decodeURIComponent(url.pathname) }
  if (url.protocol === 'tcp:' || url.protocol === 'http:')
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || 80 }
  throw new Error(`container engine address ${host}: only unix:// and tcp:// are spoken; set DOCKER_HOST to one of these`)
}

async function answerTo(place: RequestOptions, ask: Ask, prefix: string): Promise<IncomingMessage> {
  const type = ask.json === undefined ? ask.body?.type : 'application/json'
  const query = stringify(definedOnly(ask.query))
  const options: RequestOptions = {
    ...place,
    method: ask.method,
    path: `${prefix}${ask.path}${query === '' ? '' : `?${query}`}`,
    headers: { ...(type === undefined ? {} : { 'content-type': type }), ...ask.headers },
  }
  try {
    return await exchange(options, ask)
  } catch (error) {
    throw classified(error, ask)
  }
}

/** One request, until the head of its answer; the signal and the limit go on to hold for the body. */
function exchange(options: RequestOptions, { limitMs = 30_000, signal, json, body }: Ask): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    let response: IncomingMessage | null = null
    const asked = httpRequest(options)
    const stop = (reason: Error): void => {
      response?.destroy(reason)
      asked.destroy(reason)
    }
    const abort = (): void => stop(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    asked.once('close', () => signal?.removeEventListener('abort', abort))
    asked.on('error', reject)
    asked.setTimeout(limitMs)
    asked.once('socket', socket => {
      const late = (): void => {
        if (response?.complete) return
        // Nothing came because its reader has not taken what is there: the engine is not who is slow.
        if (response?.readableLength) socket.setTimeout(limitMs)
        else stop(new Error(`no answer within ${limitMs / 1000} s`))
      }
      socket.on('timeout', late)
      asked.once('close', () => socket.off('timeout', late))
      if (!socket.connecting) return
      const clock = setTimeout(() => stop(new Error(`no connection within ${connectMs / 1000} s`)), connectMs)
      for (const over of ['connect', 'close']) socket.once(over, () => clearTimeout(clock))
    })
    asked.once('response', answer => {
      response = answer
      // Heard by whoever reads it; an answer that nobody reads any more must not end the process.
      answer.on('error', () => {})
      resolve(answer)
    })
    send(asked, json === undefined ? body?.content : JSON.stringify(json))
  })
}

function send(asked: ReturnType<typeof httpRequest>, content: string | Buffer | AsyncIterable<Uint8Array> | undefined): void {
  if (content === undefined || typeof content === 'string' || Buffer.isBuffer(content)) asked.end(content)
  else
    Readable.from(content)
      .on('error', error => asked.destroy(error))
      .pipe(asked)
}

async function readAll(body: IncomingMessage, ask: Ask): Promise<string> {
  try {
    return await text(body)
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
