// How a command ends when it does not end well: an exit code that scripts may rely on, and words that say what to do.

export const exitCodes = { ok: 0, no: 1, usage: 2, timeout: 3, refused: 4, unauthenticated: 5 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export const exitCodeHelp = `
Exit codes:
  0  ok
  1  the answer is no: it differs, it is not healthy, it was rolled back
  2  wrong usage, wrong input, or an error
  3  not finished within --timeout
  4  refused: not allowed, or changed meanwhile
  5  not signed in`

/** Ends the command: `what` on stderr, then `hint` (the next command to try), and this exit code. */
export class Failure extends Error {
  override name = 'Failure'
  readonly code: ExitCode
  readonly hint: string
  constructor(code: ExitCode, what: string, hint = '', options?: ErrorOptions) {
    super(what, options)
    this.code = code
    this.hint = hint
  }
}
