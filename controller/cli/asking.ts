// Asks once, on a terminal, before something is destroyed; where there is none, --yes must have been said.
import type { Surroundings } from './cli.js'
import { Failure } from './failure.js'

export async function confirm(around: Surroundings, question: string, yes: boolean): Promise<void> {
  if (yes) return
  if (!around.inIsTerminal) throw new Failure(2, `${question} Say so with --yes.`)
  around.complain(`${question} [y/N] `)
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: around.stdin as NodeJS.ReadableStream })
  const answer = await lines.question('', { signal: around.signal })
  lines.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure(1, 'Nothing was done.')
}
