// What can go wrong with the container engine, in the words that decide what happens next.

/** refused: the engine understood and says no. failed: it tried and could not. unreachable: nobody knows whether it did. */
export type EngineErrorKind = 'notFound' | 'conflict' | 'refused' | 'failed' | 'unreachable'

export class EngineError extends Error {
  readonly kind: EngineErrorKind
  /** HTTP status; 0 where the engine did not answer. */
  readonly status: number
  /** The engine's own sentence, without ours around it. */
  readonly said: string

  constructor(doing: string, kind: EngineErrorKind, status: number, said: string, cause?: unknown) {
    super(`${doing}: ${said}`, cause === undefined ? undefined : { cause })
    this.name = 'EngineError'
    this.kind = kind
    this.status = status
    this.said = said
  }

  /** Trying the same again later may help. */
  get transient(): boolean {
    return this.kind === 'unreachable' || this.kind === 'failed'
  }
}

/** Podman's compatible API says 500 where Docker says 409: there its sentence tells (4.3: a name that is taken, a kill of what has ended). */
const podmanConflict = /that name is already in use|container state improper/

export function kindOf(status: number, said: string): EngineErrorKind {
  if (status === 404) return 'notFound'
  if (status === 409 || (status === 500 && podmanConflict.test(said))) return 'conflict'
  return status >= 500 ? 'failed' : 'refused'
}

/**
 * Is it the container's own fault that it does not start, going by the engine's answer to its start? Docker says 400 for most such
 * faults and 500 for others, and for its own as well; Podman says 500 for all: there its sentence tells.
 */
export function isOwnFault({ kind, status, said }: Pick<EngineError, 'kind' | 'status' | 'said'>): boolean {
  if (kind === 'unreachable') return false
  if (ownFaults.test(said)) return true
  return kind === 'refused' && status !== 429
}

/** A program, user, directory or mount that the image lacks or has otherwise: runc 1.1, crun 1.8 (its library's sentences), Docker 20.10. */
const ownFaults = new RegExp(
  [
    'executable file .*not found',
    'command that was not found',
    'exec format error',
    'exec: .*(no such file or directory|permission denied|is a directory)',
    'OCI permission denied',
    'unable to find (user|group)',
    'no matching entries in (passwd|group) file',
    'no users found',
    'chdir to cwd .*(no such file|not a directory|permission denied)',
    'workdir .* (does not exist|is not a directory)',
    'Are you trying to mount a directory onto a file',
    'not a directory',
    'invalid capability|unknown capability',
  ].join('|'),
  'i',
)

export function isEngineError(error: unknown, kind?: EngineErrorKind): error is EngineError {
  return error instanceof EngineError && (kind === undefined || error.kind === kind)
}
