// What an API server may do to a client, played at the wire: too many requests, watches that end, go silent or are too old, pages.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { type ApiClient, ApiError, createClient, UnreachableError } from '../../controller/cluster/kubernetes/client.js'
import { logLines } from '../../controller/cluster/kubernetes/logs.js'
import { watchKind } from '../../controller/cluster/kubernetes/watch.js'
import { until } from '../support/controller.js'

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void

async function served(t: Test, answer: Answer) {
  const asked: URL[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://server')
    asked.push(url)
    answer(request, response, url)
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const access = { server: `http://127.0.0.1:${port}`, tls: {}, headers: async () => ({ authorization: 'Bearer t' }) }
  const client = await createClient({ access, now: Date.now, random: () => 0 })
  t.teardown(async () => {
    await client.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { client, asked, port }
}

function said(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

const item = (name: string, version: string) => ({ metadata: { name, resourceVersion: version } })
const list = (items: readonly unknown[], metadata: Record<string, string>) => ({
  kind: 'ThingList',
  apiVersion: 'v1',
  items,
  metadata,
})
const event = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`
const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }

/** Follows `/things`; what is told, as words. */
function followed(
  t: Test,
  client: ApiClient,
  more: { readonly silentMs?: () => number; readonly page?: number; readonly hurry?: () => AbortSignal } = {},
) {
  const stop = new AbortController()
  const told: string[] = []
  const names = (objects: readonly { name: string }[]) => objects.map(one => one.name).join(' ')
  const running = watchKind(
    {
      client,
      path: '/things',
      project: object => ({ name: (object.metadata as { name: string }).name }),
      // Waits that are to be cut short last longer than any test.
      random: () => (more.hurry === undefined ? 0 : 10_000),
      listener: {
        listed: objects => told.push(`list ${names(objects)}`),
        changed: ({ name }) => told.push(`changed ${name}`),
        removed: ({ name }) => told.push(`removed ${name}`),
        trouble: message => void (message !== '' && told.push(`trouble ${message}`)),
      },
      ...more,
    },
    stop.signal,
  )
  t.teardown(async () => {
    stop.abort()
    await running
  })
  return told
}

t.test('429 is waited for as long as the server says, then asked again', async t => {
  let left = 2
  const { client, asked } = await served(t, (_, response) =>
    left-- > 0 ? said(response, 429, { message: 'slow down' }, { 'retry-after': '0' }) : said(response, 200, { ok: true }),
  )

  t.same(await client.call('GET', '/x', {}, new AbortController().signal), { ok: true })
  t.equal(asked.length, 3)
})

t.test('a server that never has room is told of, not asked for ever', async t => {
  const { client, asked } = await served(t, (_, response) =>
    said(response, 429, { message: 'slow down' }, { 'retry-after': '0' }),
  )

  const error = await client.call('GET', '/x', {}, new AbortController().signal).catch(error => error)

  t.ok(error instanceof ApiError && error.status === 429)
  t.equal(error.isRefusal, false)
  t.equal(asked.length, 4)
})

t.test('refusals carry the words of the server; nobody there is another thing', async t => {
  const body = {
    message: 'no',
    reason: 'Invalid',
    details: { causes: [{ field: 'spec.x', reason: 'FieldValueInvalid', message: 'bad' }] },
  }
  const { client } = await served(t, (_, response) => said(response, 422, body))
  const error = await client.call('POST', '/x', { body: {} }, new AbortController().signal).catch(error => error)

  t.match(error, { status: 422, reason: 'Invalid', message: 'no', causes: [{ field: 'spec.x' }], isRefusal: true })

  const access = { server: 'http://127.0.0.1:1', tls: {}, headers: async () => ({}) }
  const nobody = await createClient({ access, now: Date.now })
  t.teardown(() => nobody.close())
  t.ok((await nobody.call('GET', '/x', {}, new AbortController().signal).catch(error => error)) instanceof UnreachableError)
})

t.test('a list comes in pages and is told once, whole', async t => {
  const { client, asked } = await served(t, (_, response, url) => {
    if (url.searchParams.has('watch')) return
    if (url.searchParams.get('continue') === 'next') return said(response, 200, list([item('c', '3')], { resourceVersion: '9' }))
    said(response, 200, list([item('a', '1'), item('b', '2')], { continue: 'next', resourceVersion: '9' }))
  })

  const told = followed(t, client, { page: 2 })

  await until('watched', () => asked.some(url => url.searchParams.has('watch')))
  t.same(told, ['list a b c'])
  t.equal(asked[0]?.searchParams.get('limit'), '2')
  t.equal(asked.at(-1)?.searchParams.get('resourceVersion'), '9')
})

t.test('a watch that was cut goes on from where it was, bookmarks included, without a new list', async t => {
  let watches = 0
  const { client, asked } = await served(t, (_, response, url) => {
    if (!url.searchParams.has('watch')) return said(response, 200, list([item('a', '1')], { resourceVersion: '5' }))
    response.writeHead(200)
    if (++watches > 1) return
    response.write(event('MODIFIED', item('a', '6')) + event('BOOKMARK', item('', '8')))
    setTimeout(() => response.destroy(), 20)
  })

  const told = followed(t, client)

  await until('watched again', () => watches > 1)
  t.same(told, ['list a', 'changed a'])
  t.equal(asked.at(-1)?.searchParams.get('resourceVersion'), '8')
})

t.test('a version that is too old is listed again: in the answer, and in the stream', async t => {
  for (const isInStream of [false, true])
    await t.test(isInStream ? 'in the stream' : 'as the answer', async t => {
      let [lists, watches] = [0, 0]
      const { client } = await served(t, (_, response, url) => {
        if (!url.searchParams.has('watch'))
          return said(response, 200, list([item(`a${++lists}`, '1')], { resourceVersion: String(lists) }))
        if (++watches > 1) return void response.writeHead(200).write(event('DELETED', item('a2', '9')))
        if (!isInStream) return said(response, 410, gone)
        response.writeHead(200).end(event('ERROR', gone))
      })

      const told = followed(t, client)

      await until('watched again', () => told.includes('removed a2'))
      t.same(told, ['list a1', 'list a2', 'removed a2'])
    })
})

t.test('a watch that says nothing for too long is begun anew', async t => {
  let watches = 0
  const { client } = await served(t, (_, response, url) => {
    if (!url.searchParams.has('watch')) return said(response, 200, list([], { resourceVersion: '5' }))
    response.writeHead(200).flushHeaders()
    if (++watches >= 2) response.write(event('ADDED', item('late', '6')))
  })

  const told = followed(t, client, { silentMs: () => 500 })

  await until('heard', () => told.includes('changed late'))
  t.same(told.slice(0, 2), ['list ', 'changed late'])
})

t.test('a server that ends every watch at once is not asked in a hot loop', async t => {
  const { client, asked } = await served(t, (_, response, url) =>
    url.searchParams.has('watch') ? void response.writeHead(200).end() : said(response, 200, list([], { resourceVersion: '5' })),
  )

  followed(t, client)

  await new Promise(resolve => setTimeout(resolve, 1_000))
  t.ok(asked.length < 10, `${asked.length} requests in a second`)
})

t.test('a wait that has grown long is over when the server is heard again', async t => {
  let isAway = true
  const { client } = await served(t, (_, response, url) => {
    if (isAway) return said(response, 500, { message: 'away' })
    if (!url.searchParams.has('watch')) said(response, 200, list([item('a', '1')], { resourceVersion: '5' }))
  })
  let hurry = new AbortController()
  const told = followed(t, client, { hurry: () => hurry.signal })
  await until('it waits', () => told.includes('trouble away'))

  isAway = false
  hurry.abort()
  hurry = new AbortController()

  await until('listed', () => told.includes('list a'))
})

t.test('a line of a log has its time; the words of the kubelet have none', async t => {
  const lines = ['2026-01-01T00:00:00.5Z no database', '2026-01-01T00:00:01+02:00 ', 'unable to retrieve container logs for x']
  const { client } = await served(t, (_, response) => void response.writeHead(200).end(lines.join('\n')))
  const wish = { tail: 20, follow: false, previous: true }
  const seen: (readonly [string, string])[] = []

  for await (const { at, text } of logLines(client, 'shop', 'web', 'web', wish, new AbortController().signal))
    seen.push([at, text])

  t.same(seen, [
    ['2026-01-01T00:00:00.5Z', 'no database'],
    ['2026-01-01T00:00:01+02:00', ''],
    ['', 'unable to retrieve container logs for x'],
  ])
})

t.test('trouble is told, and the list afterwards is whole', async t => {
  let left = 2
  const { client } = await served(t, (_, response, url) => {
    if (left-- > 0) return said(response, 500, { message: 'etcd is away' })
    if (url.searchParams.has('watch')) return
    said(response, 200, list([item('a', '1')], { resourceVersion: '5' }))
  })

  const told = followed(t, client)

  await until('listed', () => told.includes('list a'))
  t.same(told, ['trouble etcd is away', 'trouble etcd is away', 'list a'])
})
