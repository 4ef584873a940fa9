// Speaks to the API: JSON in and out, line and event streams; its problems become failures with the right exit code.
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Settings } from './contexts.js'
import { Failure } from './failure.js'

export interface ServerEvent {
  readonly id: string
  readonly event: string
  readonly data: string
}

export interface Ask {
  readonly method?: string
  readonly json?: unknown
  readonly bytes?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export class Client {
  readonly #settings: Settings
  /** Control characters out of every text: for people's terminals, not for programs. */
  readonly #clean: boolean
  #serverTime = 0
  #heardAt = 0

  constructor(settings: Settings, clean: boolean) {
    this.#settings = settings
    this.#clean = clean
  }

  /** The server's clock, so that "12 s ago" holds whatever this machine's clock says. ms since 1970. */
  now(): number {
    if (this.#serverTime === 0) return Date.now()
    return this.#serverTime + Math.floor((performance.now() - this.#heardAt) / 1000) * 1000
  }

  async get<T>(path: string, ask: Ask = {}): Promise<T> {
    return this.#parse(await textOf(await this.open(path, ask))) as T
  }

  /** POST unless said otherwise. */
  async send<T>(path: string, ask: Ask = {}): Promise<T> {
    return await this.get<T>(path, { method: 'POST', ...ask })
  }

  /** One parsed JSON value a line. */
  async *lines<T>(path: string, ask: Ask = {}): AsyncGenerator<T> {
    for await (const line of linesOf(await this.open(path, ask))) if (line !== '') yield this.#parse(line) as T
  }

  /** Until the server ends it or the connection breaks; the caller comes back with the last id. */
  async *events(path: string, lastId: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const headers = { accept: 'text/event-stream', ...(lastId === '' ? {} : { 'last-event-id': lastId }) }
    const message = await this.open(path, { headers, signal })
    let [id, event, data] = [lastId, 'message', '']
    for await (const line of linesOf(message)) {
      if (line.startsWith('id: ')) id = line.slice(4)
      if (line.startsWith('event: ')) event = line.slice(7)
      if (line.startsWith('data: ')) data += line.slice(6)
      if (line === '' && data !== '') {
        yield { id, event, data }
        ;[event, data] = ['message', '']
      }
    }
  }

  parseEvent<T>(event: ServerEvent): T {
    return this.#parse(event.data) as T
  }

  /** The answer's headers are there, its body still comes. Throws a Failure for every answer that is not a success. */
  async open(path: string, ask: Ask): Promise<IncomingMessage> {
    const message = await this.#exchange(path, ask)
    this.#heardAt = performance.now()
    this.#serverTime = Date.parse(message.headers.date ?? '') || Date.now()
    if ((message.statusCode ?? 500) < 300) return message
    throw failureOf(message.statusCode ?? 500, await textOf(message), this.#settings)
  }

  #exchange(path: string, { method = 'GET', json, bytes, headers = {}, signal }: Ask): Promise<IncomingMessage> {
    const { server, token } = this.#settings
    const url = addressOf(server.value, path)
    const body = json === undefined ? bytes : Buffer.from(JSON.stringify(json))
    const type = json === undefined ? 'application/octet-stream' : 'application/json'
    const all = {
      ...(token.value === '' ? {} : { authorization: `Bearer ${token.value}` }),
      ...(body === undefined ? {} : { 'content-type': type, 'content-length': String(body.length) }),
      ...headers,
    }
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest
      const request = send(url, { method, headers: all, agent: false, ...(signal === undefined ? {} : { signal }) }, resolve)
      request.once('error', error => reject(unreachable(error, server.value)))
      request.end(body)
    })
  }

  #parse(text: string): unknown {
    return JSON.parse(
      text,
      this.#clean ? (_key, value) => (typeof value === 'string' ? withoutControls(value) : value) : undefined,
    )
  }
}

/** Commit subjects and log lines are other people's: what would steer the terminal is taken out. Line ends and tabs stay. */
export function withoutControls(text: string): string {
  return text
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '')
}

function addressOf(server: string, path: string): URL {
  const base = /^https?:\/\//.test(server) ? server : `http://${server}`
  if (!URL.canParse(base)) throw new Failure(2, `${server} is no address of a server.`, 'give it as http://host:7433')
  return new URL(`${base.replace(/\/+$/, '')}${path}`)
}

function unreachable(error: Error, server: string): Error {
  if (error.name === 'AbortError') return error
  return new Failure(
    2,
    `${server} cannot be reached: ${error.message || (error as NodeJS.ErrnoException).code}.`,
    'is it running?  slipway up',
    { cause: error },
  )
}

function failureOf(status: number, text: string, { server, token }: Settings): Failure {
  const problem = problemIn(text)
  const what = [
    withoutControls(problem.detail || `${server.value} answered ${status}.`),
    ...problem.errors.map(({ pointer, message }) => `  ${pointer}: ${withoutControls(message)}`),
  ].join('\n')
  if (status === 401)
    return new Failure(
      5,
      token.value === '' ? 'No token for this server.' : `The token (${token.origin}) is not known here, or has expired.`,
      `slipway login ${server.value}`,
    )
  return new Failure([403, 409, 412, 428].includes(status) ? 4 : status === 504 ? 3 : 2, what)
}

function problemIn(text: string): {
  readonly detail: string
  readonly errors: readonly { readonly pointer: string; readonly message: string }[]
} {
  try {
    const { detail, errors } = JSON.parse(text) as { detail?: unknown; errors?: unknown }
    return { detail: typeof detail === 'string' ? detail : '', errors: Array.isArray(errors) ? errors : [] }
  } catch {
    return { detail: '', errors: [] }
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of message) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

async function* linesOf(message: IncomingMessage): AsyncGenerator<string> {
  let rest = ''
  message.setEncoding('utf8')
  for await (const part of message) {
    const lines = (rest + part).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
