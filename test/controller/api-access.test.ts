import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openTokens, roles } from '../../controller/api/tokens.js'
import { type RunningApi, runApi } from '../support/api.js'
import { noon, view } from '../support/service.js'

const opened = async (test: Test, ...given: Parameters<typeof runApi>) => {
  const api = await runApi(...given)
  test.teardown(() => api.close())
  return api
}

/** Every route but HEAD, as the document names them, with what each asks of its caller. */
const matrix: Readonly<Record<string, 'public' | 'webhook' | 'read' | 'write' | 'admin'>> = {
  'GET /api/v1/applications': 'read',
  'POST /api/v1/applications': 'write',
  'GET /api/v1/applications/{name}': 'read',
  'PUT /api/v1/applications/{name}': 'write',
  'DELETE /api/v1/applications/{name}': 'write',
  'GET /api/v1/applications/{name}/declaration': 'read',
  'GET /api/v1/applications/{name}/history': 'read',
  'GET /api/v1/applications/{name}/manifests': 'read',
  'GET /api/v1/applications/{name}/resource-tree': 'read',
  'GET /api/v1/applications/{name}/sticky': 'read',
  'GET /api/v1/applications/{name}/diff': 'read',
  'GET /api/v1/applications/{name}/events': 'read',
  'GET /api/v1/applications/{name}/logs': 'read',
  'POST /api/v1/applications/{name}/sync': 'write',
  'POST /api/v1/applications/{name}/rollback': 'write',
  'POST /api/v1/applications/{name}/retry': 'write',
  'POST /api/v1/applications/{name}/rotate': 'write',
  'POST /api/v1/applications/{name}/approve': 'write',
  'POST /api/v1/applications/{name}/pause': 'write',
  'POST /api/v1/applications/{name}/refresh': 'write',
  'POST /api/v1/applications/{name}/resume': 'write',
  'GET /api/v1/events': 'read',
  'GET /api/v1/nodes': 'read',
  'GET /api/v1/stream': 'read',
  'GET /api/v1/tokens': 'admin',
  'POST /api/v1/tokens': 'admin',
  'DELETE /api/v1/tokens/{id}': 'admin',
  'POST /api/v1/login-links': 'read',
  'GET /api/v1/session': 'read',
  'DELETE /api/v1/session': 'read',
  'GET /api/v1/backup': 'admin',
  'POST /api/v1/restore': 'admin',
  'GET /metrics': 'read',
  'GET /healthz': 'public',
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /api/version': 'public',
  'GET /login': 'public',
  'POST /api/webhook': 'webhook',
}

t.test('each route lets in exactly those it says, and a route that nobody listed here fails this test', async test => {
  const api = await opened(test, [view('shop')])
  const document = (await (await api.fetch('/openapi.json', { as: null })).json()) as {
    paths: Record<string, Record<string, unknown>>
  }
  const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
  )

  test.same(listed.sort(), Object.keys(matrix).sort())
  for (const [route, access] of Object.entries(matrix)) {
    const [method = '', path = ''] = route.split(' ')
    for (const as of [null, ...roles]) {
      const abort = new AbortController()
      const answer = await api.fetch(path.replace('{name}', 'absent').replace('{id}', 'absent'), {
        method,
        as,
        signal: abort.signal,
      })
      const may =
        as === null
          ? access === 'public'
          : access === 'public' || access === 'webhook' || roles.indexOf(as) >= roles.indexOf(access)
      const refused = [401, 403].includes(answer.status)
      // Webhooks and login links have their own proof of right, and none was given here.
      test.equal(
        refused,
        access === 'webhook' || route === 'GET /login' ? true : !may,
        `${route} as ${as ?? 'stranger'}: ${answer.status}`,
      )
      abort.abort()
    }
  }
})

t.test('what is not there looks to a stranger like what is', async test => {
  const api = await opened(test, [view('shop')])
  const ask = async (path: string) => {
    const answer = await api.fetch(path, { as: null })
    const { requestId, ...problem } = (await answer.json()) as { requestId: string }
    return { status: answer.status, problem, given: requestId !== '' }
  }

  const there = await ask('/api/v1/applications/shop')

  test.equal(there.status, 401)
  for (const path of ['/api/v1/applications/none', '/api/v1/nothing', '/api/v2', '/api/v1/applications/%2e%2e/x', '/api'])
    test.same(await ask(path), there, path)
})

t.test('wrong, cut, foreign and expired tokens are nobody', async test => {
  const api = await opened(test, [view('shop')])
  const good = api.token.write
  const [, id = ''] = good.split('_')
  const bad = ['', 'x', good.slice(0, -1), `${good}x`, good.replace(id, '0'.repeat(12)), `${good.slice(0, 17)}${'A'.repeat(43)}`]
  const status = async (authorization: string) =>
    (await api.fetch('/api/v1/applications', { as: null, headers: { authorization } })).status

  for (const token of bad) test.equal(await status(`Bearer ${token}`), 401, token)
  test.equal(await status(`Basic ${good}`), 401)
  test.equal(await status(`Bearer ${good}`), 200)
  api.clock.passed = 3_600_001
  test.equal(await status(`Bearer ${good}`), 401, 'after its hour')
})

t.test('a revoked token ends at once, and guessing is slowed without slowing those who may', async test => {
  const api = await opened(test, [])
  const made = (await (
    await api.fetch('/api/v1/tokens', { method: 'POST', as: 'admin', json: { name: 'ci', role: 'read' } })
  ).json()) as { id: string; token: string }
  const asCi = () => api.fetch('/api/v1/nodes', { as: null, headers: { authorization: `Bearer ${made.token}` } })

  test.equal((await asCi()).status, 200)
  test.equal((await api.fetch(`/api/v1/tokens/${made.id}`, { method: 'DELETE', as: 'admin' })).status, 200)
  const seen = new Set<number>()
  for (let guess = 0; guess < 40; guess++) seen.add((await asCi()).status)
  test.same([...seen], [401, 429])
  test.equal((await api.fetch('/api/v1/nodes')).status, 200)
})

t.test('tokens rest as hashes in a file of their owner, survive a restart, and are listed without their secrets', async test => {
  const api = await opened(test, [])
  const file = join(api.dir, 'tokens.json')
  const clock = { now: () => noon }

  const kept = await readFile(file, 'utf8')
  test.equal((await stat(file)).mode & 0o777, 0o600)
  for (const token of Object.values(api.token)) test.notOk(kept.includes(secretOf(token)))
  const again = await openTokens(file, clock)
  test.equal(again.verify(api.token.write, 'token')?.actor.name, 'Ana Lima')
  test.equal(again.verify(api.token.write, 'session'), null, 'a token is no session')
  const list = await (await api.fetch('/api/v1/tokens', { as: 'admin' })).text()
  for (const token of Object.values(api.token)) test.notOk(list.includes(secretOf(token)))
})

/** What follows `slw_<id>_`; base64url, so it may have underscores itself. */
function secretOf(token: string): string {
  return token.split('_').slice(2).join('_')
}

t.test('a damaged token file stops the start and says which', async test => {
  const dir = test.testdir({ 'tokens.json': '{"version":1,' })
  await test.rejects(openTokens(join(dir, 'tokens.json'), { now: () => noon }), { message: /tokens\.json.*restore it/ })
})

t.test('a damaged token file is read from its copy, and said', async test => {
  const api = await opened(test, [])
  const file = join(api.dir, 'tokens.json')
  for (const content of ['', 'null', '{"version":1,']) {
    await writeFile(file, content)
    const said: string[] = []

    const again = await openTokens(file, { now: () => noon }, fault => said.push(fault))

    test.equal(again.verify(api.token.write, 'token')?.actor.name, 'Ana Lima')
    test.match(said, [/tokens\.json: .*its copy is used/])
  }
})

t.test('a login link opens the page once; its session acts only for the page itself', async test => {
  const api = await opened(test, [view('shop')])
  const { url } = (await (await api.fetch('/api/v1/login-links', { method: 'POST' })).json()) as { url: string }
  const login = await fetch(url, { redirect: 'manual' })
  const cookie = login.headers.get('set-cookie') ?? ''
  const session = cookie.split(';')[0] ?? ''
  const sync = (headers: Record<string, string>) =>
    api.fetch('/api/v1/applications/shop/sync', { method: 'POST', as: null, headers: { cookie: session, ...headers } })

  test.equal(login.status, 303)
  test.match(cookie, /^slipway_session=slw_\w+.*; HttpOnly; SameSite=Strict$/)
  test.equal((await fetch(url, { redirect: 'manual' })).status, 401, 'the second time')
  test.equal((await api.fetch('/api/v1/applications', { as: null, headers: { cookie: session } })).status, 200)
  test.equal((await sync({})).status, 403, 'no origin')
  test.equal((await sync({ origin: 'http://evil.test' })).status, 403)
  test.equal((await sync({ origin: 'null' })).status, 403)
  test.equal((await sync({ origin: api.url })).status, 202)
  test.equal(api.told.calls[0]?.by.name, 'Ana Lima')
  test.equal(
    (await api.fetch('/api/v1/tokens', { as: null, headers: { cookie: session } })).status,
    403,
    'no more rights than who made the link',
  )
  test.equal(
    (await api.fetch('/api/v1/session', { method: 'DELETE', as: null, headers: { cookie: session, origin: api.url } })).status,
    200,
  )
  test.equal((await api.fetch('/api/v1/session', { as: null, headers: { cookie: session } })).status, 401, 'signed out')
})

t.test('a login link is worth nothing after ten minutes', async test => {
  const api = await opened(test, [])
  const { url } = (await (await api.fetch('/api/v1/login-links', { method: 'POST' })).json()) as { url: string }

  api.clock.passed = 600_001

  test.equal((await fetch(url, { redirect: 'manual' })).status, 401)
})

t.test('every answer keeps browsers strict, and repeats no secret of the request', async test => {
  const api: RunningApi = await opened(test, [view('shop')])
  for (const path of ['/livez', '/api/v1/applications', '/api/v1/none', '/nothing']) {
    const { headers } = await api.fetch(path)
    test.match(headers.get('content-security-policy'), /default-src 'none'.*frame-ancestors 'none'/, path)
    test.equal(headers.get('x-content-type-options'), 'nosniff', path)
    test.equal(headers.get('access-control-allow-origin'), null, path)
    test.match(headers.get('x-request-id'), /^[0-9a-f-]{36}$/, path)
  }
  const echoed = await (await api.fetch('/api/v1/none?token=hunter2', { headers: { 'x-token': 'hunter2' } })).text()
  test.notOk(echoed.includes('hunter2'))
})
