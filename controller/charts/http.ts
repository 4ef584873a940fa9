// One GET for charts: deadlines, a limit on bytes, redirects that carry no credentials elsewhere, and no way to where nobody said it may go.
import { lookup } from 'node:dns'
import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http'
import { request as secureRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { accessFor, checkScheme, isNamed, objectionTo, type Reach, shownUrl } from './access.js'
import { ChartSourceError, ofFailure } from './errors.js'

export interface Asked {
  readonly url: URL
  /** For messages: `chart redis 17.0.0 of oci://host/charts`. */
  readonly what: string
  readonly accept: string
  readonly maxBytes: number
  /** `Authorization` for this address; asked again on each hop. */
  readonly authorization: (url: URL) => string | null
  readonly reach: Reach
  readonly signal: AbortSignal
  /** What is at hand already: a server that knows it answers 304 (RFC 9110, 13.1). */
  readonly unless?: Validators
  /** With what a POST brings: a form. */
  readonly form?: Readonly<Record<string, string>>
}

/** Of an earlier answer; '' where it had none. */
export interface Validators {
  readonly etag: string
  readonly modified: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** Where it came from in the end. */
  readonly url: URL
  /** Of its Retry-After, ms; 0 where there is none. */
  readonly waitMs: number
}

const maxRedirects = 5
const connectMs = 10_000
/** To the answer's head, and between its bytes. */
const silenceMs = 30_000
/** Of one exchange, redirects included. */
const wholeMs = 120_000
const longestWaitMs = 600_000

/** Throws `ChartSourceError`; any status is an answer. */
export async function ask(asked: Asked): Promise<Answer> {
  const deadline = AbortSignal.any([asked.signal, AbortSignal.timeout(wholeMs)])
  try {
    let { url } = asked
    for (let hops = 0; ; hops++) {
      const answer = await hop(asked, url, deadline)
      const location = answer.headers.location
      if (![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) || location === undefined)
        return await whole(answer, url, asked)
      answer.destroy()
      url = redirected(asked, url, location, hops)
    }
  } catch (cause) {
    asked.signal.throwIfAborted()
    throw ofFailure(cause, asked.what)
  }
}

function redirected({ what, form }: Asked, from: URL, location: string, hops: number): URL {
  const refuse = (why: string): never => {
    throw new ChartSourceError('RedirectRefused', `${what}: ${from.host} redirects ${why}, which is not followed`)
  }
  if (hops >= maxRedirects) refuse('in circles')
  if (form !== undefined) refuse('what holds credentials')
  if (!URL.canParse(location, from.href)) refuse('to no address')
  const to = new URL(location, from)
  if (from.protocol === 'https:' && to.protocol !== 'https:') refuse(`to ${to.protocol}//${to.host}`)
  return to
}

/** One request, until the head of its answer. */
function hop(asked: Asked, url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const { reach, what, accept, form, unless } = asked
  checkScheme(url, reach, what)
  const named = isNamed(reach, url)
  const literal = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(literal) !== 0) refuseAddress(literal, asked, named)
  const authorization = asked.authorization(url)
  const body = form === undefined ? null : new URLSearchParams(form).toString()
  const ca =
    accessFor(reach, url.href)?.ca ?? accessFor(reach, url.href.replace(/^https?:\/\/([^/]+)\/v2\//, 'oci://$1/'))?.ca ?? ''
  const options: RequestOptions & { readonly ca?: string } = {
    method: body === null ? 'GET' : 'POST',
    agent: false,
    headers: {
      accept,
      'user-agent': 'slipway',
      'accept-encoding': 'identity',
      ...(authorization === null ? {} : { authorization }),
      ...(unless === undefined || unless.etag === '' ? {} : { 'if-none-match': unless.etag }),
      ...(unless === undefined || unless.modified === '' ? {} : { 'if-modified-since': unless.modified }),
      ...(body === null
        ? {}
        : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }),
    },
    maxHeaderSize: 32_768,
    lookup: carefully(asked, named),
    signal,
    ...(ca === '' ? {} : { ca }),
  }
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? secureRequest(url, options) : plainRequest(url, options)
    request.once('response', resolve)
    request.on('error', reject)
    request.setTimeout(silenceMs, () => request.destroy(late()))
    request.once('socket', socket => {
      const clock = setTimeout(() => request.destroy(late()), connectMs)
      for (const over of ['connect', 'close']) socket.once(over, () => clearTimeout(clock))
    })
    request.end(body ?? undefined)
  })
}

function late(): Error {
  return Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })
}

function refuseAddress(address: string, { reach, what }: Asked, named: boolean): void {
  const objection = objectionTo(address, reach, named)
  if (objection !== null) throw new ChartSourceError('AddressRefused', `${what}: ${objection}`)
}

/** Looks a name up and hands out only what may be connected to: a name may stand for any address. */
function carefully(asked: Asked, named: boolean): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return void done(error, [], 0)
      try {
        for (const { address } of found) refuseAddress(address, asked, named)
      } catch (cause) {
        return void done(cause as NodeJS.ErrnoException, [], 0)
      }
      const [first] = found
      if (options.all === true || first === undefined) done(null, found)
      else done(null, first.address, first.family)
    })
  }
}

async function whole(answer: IncomingMessage, url: URL, { maxBytes, what }: Asked): Promise<Answer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) {
      answer.destroy()
      throw new ChartSourceError(
        'ChartTooLarge',
        `${what}: ${shownUrl(url.href)} has more than ${Math.round(maxBytes / 1e6)} MB, which is not taken`,
        true,
      )
    }
    chunks.push(chunk)
  }
  if (!answer.complete) throw Object.assign(new Error('cut short'), { code: 'ECONNRESET' })
  const { statusCode: status = 0, headers } = answer
  return { status, headers, body: Buffer.concat(chunks), url, waitMs: waitOf(headers['retry-after']) }
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function waitOf(value: string | undefined): number {
  if (value === undefined) return 0
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), longestWaitMs) : 0
}

export function validatorsOf({ headers: { etag, 'last-modified': modified } }: Pick<Answer, 'headers'>): Validators {
  return { etag: etag ?? '', modified: modified ?? '' }
}
