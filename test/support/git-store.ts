import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Test } from 'tap'
import { SourceError } from '../../controller/git/errors.js'
import { GitStore } from '../../controller/git/store.js'
import type { Credentials } from '../../controller/git/url.js'
import { type GitServerOptions, startGitServer, temporaryDirectory, workingCopy } from '../support/git-server.js'

export const signal = new AbortController().signal
export const path = process.env.PATH ?? ''

export async function given(t: Test, options: Partial<GitServerOptions> & { credentials?: Credentials } = {}) {
  const directory = await temporaryDirectory(t)
  const server = await startGitServer({ root: join(directory, 'served'), path, ...options })
  t.teardown(() => server.close())
  const url = await server.create('shop')
  const admin = options.accounts?.find(({ mayPush }) => mayPush)
  const copy = await workingCopy(
    join(directory, 'copy'),
    admin ? url.replace('://', `://${admin.username}:${admin.password}@`) : url,
  )
  const state = join(directory, 'state')
  const newStore = () => {
    const store = new GitStore({ directory: state, path, credentialsOf: () => options.credentials ?? null })
    t.teardown(() => store.close())
    return store
  }
  return { directory, server, url, copy, state, store: newStore(), newStore }
}

export async function failure(work: Promise<unknown>): Promise<SourceError> {
  const error = await work.then(
    () => null,
    problem => problem,
  )
  if (!(error instanceof SourceError)) throw new Error(`expected a SourceError, got ${inspect(error)}`)
  return error
}

export const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')
