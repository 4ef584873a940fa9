import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { Changes } from '../../controller/api/changes.js'
import { runApi } from '../support/api.js'
import { event, view } from '../support/service.js'

const opened = async (test: Test, ...given: Parameters<typeof runApi>) => {
  const api = await runApi(...given)
  test.teardown(() => api.close())
  return api
}

interface Frame {
  readonly id: string
  readonly event: string
  readonly data: unknown
}

/** Frames as they come; comments are skipped. */
async function* framesOf(answer: Response): AsyncGenerator<Frame> {
  let rest = ''
  for await (const part of answer.body!) {
    const frames = (rest + Buffer.from(part).toString()).split('\n\n')
    rest = frames.pop() ?? ''
    for (const frame of frames) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1] ?? ''
      if (field('data') !== '') yield { id: field('id'), event: field('event'), data: JSON.parse(field('data')) }
    }
  }
}

const next = async (frames: AsyncGenerator<Frame>) => (await frames.next()).value as Frame

t.test('a stream greets, tells each change with an id, and goes on where a broken one ended', async test => {
  const api = await opened(test, [view('shop')])
  const first = await api.fetch('/api/v1/stream')
  const frames = framesOf(first)

  test.match(first.headers.get('content-type'), 'text/event-stream')
  test.equal((await next(frames)).event, 'hello')
  api.told.tell({ type: 'application', view: view('shop', { message: 'one' }) })
  const seen = await next(frames)
  test.match(seen, { event: 'application', data: { name: 'shop', message: 'one' } })
  await frames.return(undefined)
  api.told.tell({ type: 'event', event: event('shop', 'healthy') })
  api.told.tell({ type: 'removed', name: 'shop' })
  const again = framesOf(await api.fetch('/api/v1/stream', { headers: { 'last-event-id': seen.id } }))
  test.match(await next(again), { event: 'event', data: { what: 'healthy' } })
  test.match(await next(again), { event: 'removed', data: { name: 'shop' } })
  await again.return(undefined)
})

t.test('a newer commit that changes nothing is told as a change of the application, as it is when it is told', async test => {
  const api = await opened(test, [view('shop')])
  const note = (name: string) => api.told.tell({ type: 'noted', name, view: () => api.told.views.get(name) ?? null })
  const first = framesOf(await api.fetch('/api/v1/stream'))
  const hello = await next(first)
  note('shop')
  test.match(await next(first), { event: 'application', data: { name: 'shop' } })
  await first.return(undefined)

  note('gone')
  const again = framesOf(await api.fetch('/api/v1/stream?application=gone', { headers: { 'last-event-id': hello.id } }))
  test.match(await next(again), { event: 'removed', data: { name: 'gone' } })
  await again.return(undefined)
})

t.test('who was away too long, or since another start, is told to list again', async test => {
  const api = await opened(test, [], { stream: { remembered: 3 } })
  const hello = await next(framesOf(await api.fetch('/api/v1/stream')))
  for (let change = 0; change < 4; change++) api.told.tell({ type: 'removed', name: `app-${change}` })

  for (const id of [hello.id, 'deadbeef-1', 'nonsense', '-', `${hello.id.split('-')[0]}-999`]) {
    const frames = framesOf(await api.fetch('/api/v1/stream', { headers: { 'last-event-id': id } }))
    test.equal((await next(frames)).event, 'resync', id)
    await frames.return(undefined)
  }
})

t.test('the ring gives what came after an id, or says that it cannot', async test => {
  const changes = new Changes('b', 2)
  const ids = ['a', 'b', 'c'].map(name => changes.add({ type: 'removed', name }).id)

  test.same(ids, ['b-1', 'b-2', 'b-3'])
  test.same(changes.after('b-3'), [])
  test.same(
    changes.after('b-1')?.map(({ id }) => id),
    ['b-2', 'b-3'],
  )
  test.equal(changes.after('b-0'), null)
  test.equal(changes.after('b-4'), null)
  test.equal(changes.after('c-3'), null)
})

t.test('a stream of one application tells of no other', async test => {
  const api = await opened(test, [])
  const frames = framesOf(await api.fetch('/api/v1/stream?application=shop'))
  await next(frames)
  for (const name of ['other', 'shop']) {
    api.told.tell({ type: 'application', view: view(name) })
    api.told.tell({ type: 'event', event: event(name, 'healthy') })
  }
  test.match(await next(frames), { event: 'application', data: { name: 'shop' } })
  test.match(await next(frames), { event: 'event', data: { application: 'shop' } })
  await frames.return(undefined)
})

t.test('a revoked token ends its open streams at the next beat', async test => {
  const api = await opened(test, [], { stream: { heartbeatMs: 20 } })
  const made = await api.tokens.mint('token', 'ci', 'read', 60_000)
  const answer = await api.fetch('/api/v1/stream', { as: null, headers: { authorization: `Bearer ${made.secret}` } })
  const frames = framesOf(answer)
  test.equal((await next(frames)).event, 'hello')

  await api.tokens.revoke(made.id)

  test.equal((await frames.next()).done, true)
})

t.test('a reader that stops reading is dropped, and the others go on', async test => {
  const api = await opened(test, [], { stream: { maxBufferedBytes: 50_000 } })
  const { port } = new URL(api.url)
  const stuck = connect(Number(port), '127.0.0.1')
  test.teardown(() => stuck.destroy())
  stuck.write(`GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.token.read}\r\n\r\n`)
  await new Promise(resolve => stuck.once('data', resolve))
  stuck.pause()
  const reading = framesOf(await api.fetch('/api/v1/stream'))
  await next(reading)
  const clients = async () => /slipway_stream_clients (\d+)/.exec(await (await api.fetch('/metrics')).text())?.[1]
  test.equal(await clients(), '2')

  const message = 'x'.repeat(20_000)
  for (let change = 0; (await clients()) === '2' && change < 2000; change++) {
    api.told.tell({ type: 'application', view: view('shop', { message }) })
    await next(reading)
    if (change % 100 === 99) api.clock.passed += 5000
  }

  test.equal(await clients(), '1')
  await reading.return(undefined)
})

t.test('no more streams than are allowed, and closing the API ends those that are open', async test => {
  const api = await opened(test, [], { stream: { maxClients: 2 } })
  const [one, two] = [framesOf(await api.fetch('/api/v1/stream')), framesOf(await api.fetch('/api/v1/stream'))]
  await Promise.all([next(one), next(two)])

  test.match(await (await api.fetch('/api/v1/stream')).json(), { status: 503, code: 'tooManyStreams' })
  await api.close()
  test.equal((await one.next()).done, true)
  test.equal((await two.next()).done, true)
})
