// A real API on a real socket over a Service of plain data, with one token of each role.
import { mkdtemp } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiOptions, createApi } from '../../controller/api/server.js'
import { openTokens, type Role, type Tokens } from '../../controller/api/tokens.js'
import type { ApplicationView } from '../../controller/view.js'
import { noon, serviceTelling, type Told } from './service.js'

export interface RunningApi {
  readonly url: string
  readonly told: Told
  readonly tokens: Tokens
  readonly token: Readonly<Record<Role, string>>
  readonly clock: { now(): number; passed: number }
  readonly dir: string
  fetch(path: string, options?: RequestInit & { as?: Role | null; json?: unknown }): Promise<Response>
  close(): Promise<void>
}

const hour = 3_600_000

export async function runApi(views: readonly ApplicationView[] = [], over: Partial<ApiOptions> = {}): Promise<RunningApi> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-api-'))
  const clock = { passed: 0, now: () => noon + clock.passed }
  const tokens = over.tokens ?? (await openTokens(join(dir, 'tokens.json'), clock))
  const told = serviceTelling(views)
  const app = await createApi({
    service: told.service,
    tokens,
    clock,
    version: '0.1.0',
    webhookSecrets: {},
    uiDir: join(dir, 'none'),
    log: false,
    ...over,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const mint = async (role: Role) => (await tokens.mint('token', role === 'write' ? 'Ana Lima' : role, role, hour)).secret
  const token = { read: await mint('read'), write: await mint('write'), admin: await mint('admin') }
  return {
    url,
    told,
    tokens,
    token,
    clock,
    dir,
    fetch(path, { as = 'write', json, headers, ...options } = {}) {
      const auth: Record<string, string> = as === null ? {} : { authorization: `Bearer ${token[as]}` }
      const body = json === undefined ? {} : { body: JSON.stringify(json) }
      const type: Record<string, string> = json === undefined ? {} : { 'content-type': 'application/json' }
      return fetch(`${url}${path}`, {
        redirect: 'manual',
        ...body,
        ...options,
        headers: { ...auth, ...type, ...(headers as Record<string, string> | undefined) },
      })
    },
    close: () => app.close(),
  }
}
