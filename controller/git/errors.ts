// What can go wrong between us and a repository, told apart so that people know what to do. Knows no URL with a password:
// messages are made here from masked URLs, never from what a library or a server said with credentials in it.
export type SourceReason =
  | 'InvalidSource'
  | 'RevisionNotFound'
  | 'Unauthenticated'
  | 'RepositoryNotFound'
  | 'RepositoryUnreachable'
  | 'RepositoryTooLarge'
  | 'RedirectRefused'
  | 'PathNotFound'
  | 'SuspiciousName'
  | 'ObjectMissing'
  | 'PushRejected'
  | 'PushRefused'

/** `message` is a whole sentence with what to do; `transient`: trying again later may help without anyone doing anything. */
export class SourceError extends Error {
  override name = 'SourceError'
  readonly reason: SourceReason
  readonly transient: boolean
  constructor(reason: SourceReason, message: string, transient = false) {
    super(message)
    this.reason = reason
    this.transient = transient
  }
}

interface Failure {
  readonly name?: string
  readonly code?: string
  readonly message?: string
  readonly data?: { readonly statusCode?: number; readonly reason?: string }
  readonly cause?: unknown
}

/** Whatever a transport threw, as a SourceError about `shown` (a masked URL). */
export function sourceErrorOf(error: unknown, shown: string): SourceError {
  if (error instanceof SourceError) return error
  const failure = (error ?? {}) as Failure
  const status = failure.data?.statusCode
  if (failure.code === 'HttpError' && status !== undefined) return ofStatus(status, shown)
  if (failure.name === 'TimeoutError') return unreachable(shown, 'it did not answer in time')
  if (failure.name === 'AbortError') return unreachable(shown, 'the request was given up')
  if (failure.code === 'SmartHttpError') {
    return new SourceError('RepositoryNotFound', `${shown} answers, but not as a Git server: check spec.source.repoURL`)
  }
  if (failure.code !== undefined && localFailures.has(failure.code)) {
    return new SourceError(
      'ObjectMissing',
      `our copy of ${shown} is damaged (${failure.code}); it is fetched again by itself`,
      true,
    )
  }
  return unreachable(shown, networkFact(failure))
}

/** Codes that say that our own copy, or what was sent for it, is not whole. */
const localFailures: ReadonlySet<string> = new Set([
  'NoRefspecError',
  'NotFoundError',
  'InternalError',
  'ParseError',
  'ENOENT',
  'ENOTDIR',
])

function ofStatus(status: number, shown: string): SourceError {
  if (status === 401) {
    return new SourceError(
      'Unauthenticated',
      `${shown} wants other credentials (401): check the user, password or token given for it`,
    )
  }
  if (status === 403) {
    return new SourceError(
      'Unauthenticated',
      `${shown} refuses these credentials (403): give them the right to read this repository`,
    )
  }
  if (status === 404 || status === 410) {
    return new SourceError(
      'RepositoryNotFound',
      `${shown} is not there, or hidden from these credentials (${status}): check spec.source.repoURL and the credentials`,
    )
  }
  return unreachable(shown, status === 429 ? 'it asks us to slow down (429)' : `it answered ${status}`)
}

function unreachable(shown: string, fact: string): SourceError {
  return new SourceError('RepositoryUnreachable', `${shown} cannot be reached: ${fact}; it is asked again by itself`, true)
}

const networkFacts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'it did not answer in time',
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name could not be looked up',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its network',
  CERT_HAS_EXPIRED: 'its TLS certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its TLS certificate is self-signed (NODE_EXTRA_CA_CERTS names further authorities)',
  SELF_SIGNED_CERT_IN_CHAIN: 'its TLS certificate is self-signed (NODE_EXTRA_CA_CERTS names further authorities)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its TLS certificate cannot be verified (NODE_EXTRA_CA_CERTS names further authorities)',
}

/** Only codes and our own words: a library's message may carry what a server echoed. */
function networkFact(failure: Failure): string {
  const inner = (failure.cause ?? {}) as Failure
  for (const code of [failure.code, inner.code]) {
    const fact = code === undefined ? undefined : networkFacts[code]
    if (fact !== undefined) return fact
  }
  return `the exchange failed (${failure.code ?? inner.code ?? failure.name ?? 'unknown'})`
}
