// What can go wrong between us and those who publish charts, told apart so that people know what to do. Never holds a password: addresses
// come in masked.
export type ChartReason =
  | 'ChartUnreachable'
  | 'RenderKilled'
  | 'ChartPending'
  | 'ChartNotFound'
  | 'ChartTooLarge'
  | 'ChartRefused'
  | 'Unauthenticated'
  | 'RedirectRefused'
  | 'AddressRefused'
  | 'InvalidChart'
  | 'RefusedFile'
  | 'PathNotFound'

/** `message` is a whole sentence with what to do; `transient`: trying again later may help without a new commit. */
export class ChartSourceError extends Error {
  override name = 'ChartSourceError'
  readonly reason: ChartReason
  readonly transient: boolean
  /** How long the server asked us to wait, ms; 0 where it did not. */
  readonly waitMs: number
  constructor(reason: ChartReason, message: string, transient = false, waitMs = 0) {
    super(message)
    this.reason = reason
    this.transient = transient
    this.waitMs = waitMs
  }
}

/** Nothing was found out about the files: with more time or memory they might be read. */
export function readingKilled(how: string): ChartSourceError {
  return new ChartSourceError('RenderKilled', `reading what the chart depends on ${how} and was ended; it is tried again`, true)
}

export function unreachable(what: string, fact: string, waitMs = 0): ChartSourceError {
  return new ChartSourceError('ChartUnreachable', `${what}: ${fact}`, true, waitMs)
}

/** What an answer other than 200 says. `waitMs`: of its Retry-After. */
export function ofStatus(status: number, what: string, waitMs: number): ChartSourceError {
  if (status === 401 || status === 403)
    return new ChartSourceError(
      'Unauthenticated',
      `${what}: these credentials are refused (${status}): name a user and password that may read it under repositories in the configuration`,
      true,
    )
  if (status === 404 || status === 410)
    return new ChartSourceError('ChartNotFound', `${what}: is not there (${status}): publish it, or name another version`, true)
  return unreachable(what, `the server answers ${status}`, waitMs)
}

/** Whatever a request threw. */
export function ofFailure(cause: unknown, what: string): ChartSourceError {
  if (cause instanceof ChartSourceError) return cause
  const { name, code, message } = (cause ?? {}) as { name?: string; code?: string; message?: string }
  if (name === 'TimeoutError' || code === 'ETIMEDOUT') return unreachable(what, 'no answer in time')
  if (code !== undefined && certificate.test(code))
    return new ChartSourceError(
      'ChartUnreachable',
      `${what}: its certificate is not trusted (${code}): name the authority as caFile under repositories in the configuration`,
      true,
    )
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return unreachable(what, 'it does not speak TLS (plain http has to be allowed: plainHTTP under repositories)')
  return unreachable(what, facts[code ?? ''] ?? code ?? message ?? 'the connection failed')
}

const certificate = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS_CERT_)/

const facts: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name of its host is not known',
  EAI_AGAIN: 'the name of its host cannot be looked up now',
  ECONNREFUSED: 'nothing answers there',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'its host cannot be reached',
}
