// Asks for a sync, rollback or retry: once, whatever the network does, then waits for its end where that was wanted.
import { randomUUID } from 'node:crypto'
import { applicationPath, type Cli } from './cli.js'
import { durationOf, type WaitOptions, waitFor } from './waiting.js'

export async function request(
  cli: Cli,
  app: string,
  act: 'sync' | 'rollback' | 'retry',
  json: unknown,
  said: string,
  options: WaitOptions & { readonly part?: boolean },
): Promise<void> {
  const timeoutMs = durationOf(options.timeout)
  const answer = await cli.api.send<{ version: 'v1'; request: string }>(applicationPath(app, act), {
    json,
    headers: { 'idempotency-key': randomUUID() },
  })
  if (options.wait === true) {
    const goal = { request: answer.request, commit: '', part: options.part === true }
    return await waitFor(cli, app, goal, timeoutMs)
  }
  await cli.show(answer, () => `${said}  Follow it with:  slipway wait ${app}`)
}
