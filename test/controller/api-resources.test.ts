import { Ajv2020 } from 'ajv/dist/2020.js'
import t, { type Test } from 'tap'
import type { ApplicationView } from '../../controller/view.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { runApi } from '../support/api.js'
import { attempt, event, node, object, rolledBack, verdict, view } from '../support/service.js'

const opened = async (test: Test, ...given: Parameters<typeof runApi>) => {
  const api = await runApi(...given)
  test.teardown(() => api.close())
  return api
}

const shop: Manifest = { apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name: 'shop' }, spec: {} }

t.test('the list filters, orders by who needs a person, counts, and goes on where a page ended', async test => {
  const many = Array.from({ length: 25 }, (_, at) => view(`app-${String(at).padStart(2, '0')}`))
  const api = await opened(test, [...many, rolledBack('shop'), view('batch', { state: 'Held' })])
  const list = async (query: string) =>
    (await (await api.fetch(`/api/v1/applications${query}`)).json()) as {
      items: ApplicationView[]
      total: number
      continue: string
      counts: object
    }

  const first = await list('?limit=10')
  const second = await list(`?limit=10&continue=${first.continue}`)
  const third = await list(`?limit=10&continue=${second.continue}`)

  test.same(
    [...first.items, ...second.items, ...third.items].map(one => one.name),
    [...many.map(one => one.name), 'batch', 'shop'],
  )
  test.same([first.total, third.continue], [27, ''])
  test.same(first.counts, { Healthy: 25, RolledBack: 1, Held: 1 })
  test.same(
    (await list('?sort=attention&limit=3')).items.map(one => one.name),
    ['shop', 'batch', 'app-00'],
  )
  test.same(
    (await list('?state=Held&state=RolledBack')).items.map(one => one.name),
    ['batch', 'shop'],
  )
  test.same(
    (await list('?search=4F2A91C%20shop')).items.map(one => one.name),
    ['shop'],
  )
  test.same((await list('?search=nothing-such')).items, [])
  const wrong = await api.fetch('/api/v1/applications?continue=xyz')
  test.equal(wrong.status, 400)
  test.match(await wrong.json(), { code: 'invalidCursor', errors: [{ pointer: '/querystring/continue' }] })
})

t.test('an application is declared, read back, replaced only over what one has seen, and deleted', async test => {
  const api = await opened(test, [])
  const put = (json: unknown, headers: Record<string, string> = {}) =>
    api.fetch('/api/v1/applications/shop', { method: 'PUT', json, headers })

  test.match(await (await api.fetch('/api/v1/applications?dryRun=true', { method: 'POST', json: shop })).json(), {
    created: true,
    application: null,
  })
  test.equal((await api.fetch('/api/v1/applications/shop')).status, 404, 'a dry run writes nothing')
  const made = await api.fetch('/api/v1/applications', { method: 'POST', json: shop })
  test.equal(made.status, 201)
  const read = await api.fetch('/api/v1/applications/shop/declaration')
  const etag = read.headers.get('etag') ?? ''
  test.same(await read.json(), shop)
  test.equal((await put({ ...shop, spec: { a: 1 } }, { 'if-match': etag })).status, 200)
  test.match(await (await put(shop, { 'if-match': etag })).json(), { status: 412, code: 'changedMeanwhile' })
  test.equal((await api.fetch('/api/v1/applications/shop', { method: 'DELETE', headers: { 'if-match': etag } })).status, 412)
  test.equal((await api.fetch('/api/v1/applications/shop?cascade=true', { method: 'DELETE' })).status, 202)
  test.match(api.told.calls.at(-1), {
    act: 'remove',
    name: 'shop',
    by: { kind: 'user', name: 'Ana Lima' },
    options: { cascade: true },
  })
})

t.test('wrong input is answered with its place, and never with a stack', async test => {
  const api = await opened(test, [view('shop')])
  const nest = (depth: number): unknown => (depth === 0 ? 1 : { a: nest(depth - 1) })
  const post = (body: string, type = 'application/json') =>
    api.fetch('/api/v1/applications', { method: 'POST', body, headers: { 'content-type': type } })
  const cases: readonly (readonly [string, Promise<Response>, number, string])[] = [
    ['broken JSON', post('{"kind":'), 400, 'invalidJson'],
    ['no object', post('[]'), 400, 'invalidInput'],
    ['empty', post(''), 400, 'emptyBody'],
    ['YAML', post('kind: Application', 'text/yaml'), 415, 'unsupportedMediaType'],
    ['another kind', post(JSON.stringify({ ...shop, kind: 'Pod' })), 422, 'invalidInput'],
    ['too deep', post(JSON.stringify({ ...shop, spec: nest(500) })), 400, 'tooDeep'],
    [
      'much too deep',
      post(`{"apiVersion":"a","kind":"b","metadata":{},"spec":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
      400,
      'tooDeep',
    ],
    ['too large', post(JSON.stringify({ ...shop, x: 'x'.repeat(1 << 20) })), 413, 'bodyTooLarge'],
    ['a prototype', post('{"apiVersion":"a","kind":"b","metadata":{},"__proto__":{"x":1}}'), 400, 'invalidJson'],
    ['another name', api.fetch('/api/v1/applications/other', { method: 'PUT', json: shop }), 400, 'invalidInput'],
    ['no name', api.fetch('/api/v1/applications/..%2f..%2fetc'), 400, 'invalidInput'],
    [
      'unknown field',
      api.fetch('/api/v1/applications/shop/rollback', { method: 'POST', json: { too: 'r1' } }),
      400,
      'invalidInput',
    ],
    ['limit', api.fetch('/api/v1/applications?limit=many'), 400, 'invalidInput'],
  ]
  for (const [what, asked, status, code] of cases) {
    const answer = await asked
    const text = await answer.text()
    test.equal(answer.status, status, `${what}: ${text}`)
    test.match(answer.headers.get('content-type'), 'application/problem+json', what)
    const problem = JSON.parse(text) as Record<string, unknown>
    test.equal(problem.code, code, what)
    test.equal(problem.requestId, answer.headers.get('x-request-id'), what)
    test.notMatch(text, /node_modules|at \w+ \(/, what)
  }
})

t.test('a fault of ours is 500 with the id under which the log has it, and tells nothing else', async test => {
  const api = await opened(test, [view('shop')])
  api.told.onAct = () => {
    throw new Error('secret hunter2 in /var/lib')
  }

  const answer = await api.fetch('/api/v1/applications/shop/sync', { method: 'POST' })
  const text = await answer.text()

  test.equal(answer.status, 500)
  test.notMatch(text, /hunter2|var/)
  test.match(text, answer.headers.get('x-request-id') ?? 'none')
})

t.test('acts are passed on with who asked, with or without a body', async test => {
  const api = await opened(test, [view('shop')])
  const post = async (act: string, json?: unknown) =>
    (await api.fetch(`/api/v1/applications/shop/${act}`, { method: 'POST', json })).status

  const statuses = [
    await post('sync'),
    await post('sync', { revision: '4f2a91c', prune: false }),
    await post('rollback', { to: 'r14', message: 'slow' }),
    await post('retry', {}),
    await post('rotate', { keys: ['Secret/db'] }),
    await post('approve'),
    await post('pause', { reason: 'audit' }),
    await post('resume'),
  ]

  test.same(statuses, [202, 202, 202, 202, 202, 202, 200, 200])
  test.same(
    api.told.calls.map(({ act, options }) => ({ act, ...(options as object) })),
    [
      { act: 'sync', revision: null, prune: null, resources: [], tests: false },
      { act: 'sync', revision: '4f2a91c', prune: false, resources: [], tests: false },
      { act: 'rollback', to: 'r14', message: 'slow' },
      { act: 'retry', release: '' },
      { act: 'rotate', keys: ['Secret/db'], all: false },
      { act: 'approve' },
      { act: 'pause', reason: 'audit' },
      { act: 'resume' },
    ],
  )
  test.equal((await api.fetch('/api/v1/applications/none/sync', { method: 'POST' })).status, 404)
})

t.test(
  'the same Idempotency-Key does it once, another body under it is refused, and a failed one may be repeated',
  async test => {
    const api = await opened(test, [view('shop')])
    const sync = (key: string, json: unknown = {}) =>
      api.fetch('/api/v1/applications/shop/sync', { method: 'POST', json, headers: { 'idempotency-key': key } })

    const [first, second] = [await (await sync('k1')).json(), await (await sync('k1')).json()]

    test.same(first, second)
    test.equal(api.told.calls.length, 1)
    test.match(await (await sync('k1', { revision: 'abc' })).json(), { status: 422, code: 'idempotencyKeyReused' })
    await sync('k2')
    test.equal(api.told.calls.length, 2)
    api.told.onAct = () => {
      throw new Error('store gone')
    }
    test.equal((await sync('k3')).status, 500)
    api.told.onAct = () => {}
    test.equal((await sync('k3')).status, 202)
  },
)

t.test('no value of a Secret passes, whatever the room before forgot', async test => {
  const api = await opened(test, [view('shop')])
  const canary = 'aHVudGVyMg=='
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': canary, team: 'a' } },
    data: { password: canary },
    stringData: { raw: canary },
  }
  const ref = { group: '', kind: 'Secret', namespace: 'shop', name: 'db' }
  api.told.manifests = [secret, { apiVersion: 'v1', kind: 'List', metadata: { name: 'all' }, items: [secret] }]
  api.told.diff = {
    from: '',
    to: '',
    objects: [
      {
        ref,
        change: 'changed',
        text: '',
        patch: [
          { op: 'replace', path: '/data/password', value: canary },
          { op: 'add', path: '/data', value: { password: canary } },
          { op: 'add', path: '', value: secret },
          { op: 'add', path: '/metadata/annotations', value: secret.metadata.annotations },
        ],
      },
    ],
  }

  const manifests = await (await api.fetch('/api/v1/applications/shop/manifests')).text()
  const diff = await (await api.fetch('/api/v1/applications/shop/diff')).text()

  test.notOk(manifests.includes(canary))
  test.notOk(diff.includes(canary))
  test.match(manifests, /"password":"\(secret\)".*"team":"a"|"team":"a".*"password":"\(secret\)"/)
})

t.test('what others wrote comes out as JSON text, never as markup', async test => {
  const evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>\u2028'
  const api = await opened(test, [view('shop', { message: evil, short: evil })])
  const answer = await api.fetch('/api/v1/applications/shop')

  test.match(answer.headers.get('content-type'), 'application/json')
  test.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  test.equal(((await answer.json()) as ApplicationView).message, evil)
  const absent = await api.fetch(`/${encodeURIComponent(evil)}`, { as: null })
  test.match(absent.headers.get('content-type'), 'application/problem+json')
})

t.test('logs are one JSON object a line, or events for who asks so, and following ends with its reader', async test => {
  const api = await opened(test, [view('shop')])
  api.told.logs = ['one', 'two', 'three'].map(text => ({ at: '2026-03-01T12:00:00Z', pod: 'web-1', container: 'web', text }))

  const lines = (await (await api.fetch('/api/v1/applications/shop/logs?tail=2')).text())
    .trim()
    .split('\n')
    .map(line => (JSON.parse(line) as { text: string }).text)
  const events = await (await api.fetch('/api/v1/applications/shop/logs', { headers: { accept: 'text/event-stream' } })).text()

  test.same(lines, ['two', 'three'])
  test.match(events, /event: line\ndata: .*"one"/)
  const abort = new AbortController()
  const following = await api.fetch('/api/v1/applications/shop/logs?follow=true', { signal: abort.signal })
  const reader = following.body!.getReader()
  test.match(Buffer.from((await reader.read()).value ?? []).toString(), /one/)
  abort.abort()
  await test.rejects(reader.read())
})

t.test('backup streams an archive, restore takes it and refuses what is none', async test => {
  const api = await opened(test, [view('shop')])
  const archive = await (await api.fetch('/api/v1/backup', { as: 'admin' })).text()
  const restore = (body: string) =>
    api.fetch('/api/v1/restore', { method: 'POST', as: 'admin', body, headers: { 'content-type': 'application/octet-stream' } })

  test.match(archive, /^slipway-archive/)
  test.match(await (await restore(archive)).json(), { message: /Restored/ })
  test.equal((await restore('other')).status, 422)
  test.equal((await restore('')).status, 400)
})

t.test('readiness names what is not well, and why only to those with a token', async test => {
  const api = await opened(test, [])
  api.told.readiness = [
    { part: 'git', ok: true, message: '' },
    { part: 'nats', ok: false, message: 'no answer from nats://10.0.0.9 since 12 s' },
  ]

  const stranger = await api.fetch('/readyz?verbose', { as: null })
  const known = await api.fetch('/readyz?verbose')

  test.equal(stranger.status, 503)
  test.equal(await stranger.text(), '[+] git ok\n[-] nats failed: reason withheld\nnot ready\n')
  test.match(await known.text(), /nats:\/\/10\.0\.0\.9/)
  for (const path of ['/livez', '/healthz']) test.equal((await api.fetch(path, { as: null })).status, 200, path)
  test.same(await (await api.fetch('/api/version', { as: null })).json(), { version: '0.1.0', api: 'v1' })
})

t.test(
  'who asks for readiness says which parts do not count: a repository that is away takes no pod out of its Service',
  async test => {
    const api = await opened(test, [])
    const ready = async (query: string) => {
      const answer = await api.fetch(`/readyz${query}`, { as: null })
      return [answer.status, await answer.text()]
    }
    api.told.readiness = [
      { part: 'nats', ok: true, message: '' },
      { part: 'clusters', ok: false, message: 'prod is away' },
      { part: 'git', ok: false, message: 'git.example.com does not answer' },
    ]

    test.same((await ready(''))[0], 503)
    test.same((await ready('?exclude=git'))[0], 503)
    test.same(await ready('?exclude=git&exclude=clusters'), [200, 'ok\n'])
    test.same(await ready('?verbose&exclude=git&exclude=clusters&exclude=nats'), [
      200,
      '[+] nats excluded: ok\n[+] clusters excluded: failed: reason withheld\n[+] git excluded: failed: reason withheld\nready\n',
    ])
  },
)

t.test('metrics carry the names and words of Argo CD, and count each end once', async test => {
  const api = await opened(test, [
    view('shop', {
      source: { repoURL: 'https://u:hunter2@git.test/shop.git', path: '.', chart: '', targetRevision: 'main' },
      sync: { status: 'OutOfSync', message: '' },
    }),
  ])
  api.told.nodes = [node('lab')]
  const metrics = async () => await (await api.fetch('/metrics')).text()

  test.match(
    await metrics(),
    'argocd_app_info{namespace="argocd",name="shop",project="default",autosync_enabled="true",repo="https://git.test/shop.git",dest_server="node/lab",dest_namespace="shop",sync_status="OutOfSync",health_status="Healthy",operation=""} 1',
  )
  const judged = view('shop', { attempt: attempt({ number: 7, outcome: 'RolledBack', verdict: verdict() }) })
  for (let times = 0; times < 3; times++) api.told.tell({ type: 'application', view: judged })
  api.told.tell({ type: 'application', view: view('shop', { attempt: attempt({ number: 8 }) }) })
  const text = await metrics()
  test.match(
    text,
    'argocd_app_sync_total{namespace="argocd",name="shop",project="default",dest_server="node/lab",phase="Failed"} 1',
  )
  test.match(
    text,
    'argocd_app_sync_total{namespace="argocd",name="shop",project="default",dest_server="node/lab",phase="Succeeded"} 1',
  )
  test.match(text, 'slipway_rollbacks_total{name="shop",reason="CrashLoop"} 1')
  test.match(text, 'slipway_commit_to_healthy_seconds_count 1')
  test.match(text, 'slipway_node_last_seen_age_seconds{node="lab"} 2')
  test.notMatch(text, /hunter2/)
})

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: object }>> }>>
}

t.test('the OpenAPI document stands on its own, and what is answered is what it says', async test => {
  const api = await opened(test, [view('gateway'), rolledBack()])
  api.told.history = [rolledBack().attempt!, attempt()]
  api.told.tree = [
    object(
      {},
      {
        children: [
          object(
            { kind: 'Pod', name: 'web-1' },
            {
              sync: '',
              pod: {
                name: 'web-1',
                ready: true,
                phase: 'Running',
                ip: '10.1.0.2',
                release: 'r1',
                restarts: 0,
                createdAt: '',
                readyAt: '',
                containers: [{ name: 'web', ready: true, state: 'running', reason: '', restartCount: 0, image: 'web:1' }],
              },
            },
          ),
        ],
      },
    ),
  ]
  api.told.nodes = [node('lab', { conditions: [{ type: 'Disk', status: 'True', message: 'full' }] })]
  api.told.events = [event('shop', 'healthy')]
  api.told.manifests = [shop]
  api.told.diff = {
    from: '',
    to: '',
    objects: [{ ref: object().ref, change: 'added', patch: [{ op: 'add', path: '', value: {} }], text: '+ a' }],
  }
  api.told.declarations.set('shop', shop)
  const document = (await (await api.fetch('/openapi.json', { as: null })).json()) as {
    openapi: string
    paths: Record<string, Record<string, Operation>>
    components: { schemas: object }
  }
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema(document, 'openapi')
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )

  test.equal(document.openapi, '3.1.0')
  const ids = operations.map(({ operation }) => operation.operationId)
  test.same(ids, [...new Set(ids)], 'each operation has its own id')
  for (const { path, operation } of operations) {
    const named = (operation.parameters ?? []).filter(one => one.in === 'path').map(one => one.name)
    test.same(
      named,
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      path,
    )
  }
  for (const [, reference = ''] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g))
    test.ok(ajv.getSchema(`openapi${reference}`), reference)
  for (const { path, method, operation } of operations) {
    const schema = operation.responses['200']?.content?.['application/json']?.schema
    if (method !== 'get' || schema === undefined) continue
    const pointer = ['paths', path, method, 'responses', '200', 'content', 'application/json', 'schema']
      .map(part => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/')
    const check = ajv.getSchema(`openapi#/${pointer}`)
    const answer = await api.fetch(path.replace('{name}', 'shop'), { as: 'admin' })
    const body = await answer.json()
    test.equal(answer.status, 200, path)
    test.equal(check?.(body), true, `${path}: ${JSON.stringify(check?.errors)}`)
  }
})
