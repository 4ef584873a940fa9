// An HTTP/1 answer out of the bytes of a connection (RFC 9112), as far as a probe looks at it: status, Location, the first of the body.
// Knows no connection. node's own client takes three times as long for it, and a node asks several times a second as long as it lives.

export interface Answer {
  readonly status: number
  readonly location: string | undefined
  /** Its first bytes, as text. */
  readonly body: string
}

/** What the bytes are no answer for: said in the probe's message. */
export class AnswerError extends Error {
  override name = 'AnswerError'
}

const headLimit = 64 * 1024
const bodyLimit = 10 * 1024

/**
 * The answer in what was received so far, null while it is not whole; of a long body the first 10 kB are enough (the kubelet reads no
 * more). `ended`: nothing more will come. Throws AnswerError.
 */
export function readAnswer(received: Buffer, ended: boolean): Answer | null {
  const head = readHead(received)
  if (head === null) {
    if (received.length > headLimit) throw new AnswerError(`headers of more than ${headLimit / 1024} kB`)
    if (ended) throw new AnswerError(received.length === 0 ? 'closed without an answer' : 'closed before the answer was whole')
    return null
  }
  // What comes before the answer itself (100 Continue, 103 Early Hints).
  if (head.status < 200 && head.status !== 101) return readAnswer(received.subarray(head.length), ended)
  const body = readBody(head, received.subarray(head.length), ended)
  return body === null ? null : { status: head.status, location: head.headers.get('location'), body: body.toString('utf8') }
}

interface Head {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  /** With the empty line after it. */
  readonly length: number
}

function readHead(received: Buffer): Head | null {
  const end = /\r?\n\r?\n/.exec(received.toString('latin1', 0, headLimit))
  if (end === null) {
    if (received.length >= 5 && received.toString('latin1', 0, 5) !== 'HTTP/') throw new AnswerError('the answer is no HTTP')
    return null
  }
  const [first = '', ...lines] = received.toString('latin1', 0, end.index).split(/\r?\n/)
  const status = /^HTTP\/1\.[01] +([1-9]\d\d)(?: |$)/.exec(first)?.[1]
  if (status === undefined) throw new AnswerError(`the answer is no HTTP: ${first.slice(0, 80)}`)
  return { status: Number(status), headers: readHeaders(lines), length: end.index + end[0].length }
}

function readHeaders(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon)).toLowerCase()
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  return headers
}

/** RFC 9112, 6.3: how long a body is. */
function readBody({ status, headers }: Head, rest: Buffer, ended: boolean): Buffer | null {
  if (status === 101 || status === 204 || status === 304) return rest.subarray(0, 0)
  if (rest.length >= bodyLimit && !isChunked(headers)) return rest.subarray(0, bodyLimit)
  if (isChunked(headers)) return readChunks(rest, ended)
  const length = headers.get('content-length')
  if (length === undefined) return ended ? rest : null
  if (!/^\d+$/.test(length)) throw new AnswerError(`Content-Length: ${length.slice(0, 40)}`)
  if (rest.length >= Number(length)) return rest.subarray(0, Number(length))
  return ended ? cutShort() : null
}

function isChunked(headers: ReadonlyMap<string, string>): boolean {
  return /(^|[, ])chunked$/i.test(headers.get('transfer-encoding') ?? '')
}

function readChunks(rest: Buffer, ended: boolean): Buffer | null {
  const chunks: Buffer[] = []
  let [at, size] = [0, 0]
  while (size < bodyLimit) {
    const end = rest.indexOf('\n', at)
    if (end < 0) return ended ? cutShort() : null
    const digits = /^([0-9a-f]+)[ \t]*(?:;.*)?\r?$/i.exec(rest.toString('latin1', at, end))?.[1]
    if (digits === undefined) throw new AnswerError('a chunk of the answer has no length')
    const length = Number.parseInt(digits, 16)
    if (length === 0) return Buffer.concat(chunks)
    const chunk = rest.subarray(end + 1, end + 1 + length)
    chunks.push(chunk)
    size += chunk.length
    if (chunk.length < length && size < bodyLimit) return ended ? cutShort() : null
    at = rest.indexOf('\n', end + 1 + length) + 1
    if (at === 0 && size < bodyLimit) return ended ? cutShort() : null
  }
  return Buffer.concat(chunks).subarray(0, bodyLimit)
}

function cutShort(): never {
  throw new AnswerError('closed before the answer was whole')
}
