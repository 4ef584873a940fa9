// The way to a Git server over connections that are kept: what is asked again, what is not, and what ends it.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { httpClient, openConnections } from '../../controller/git/http.js'

/** A server, and what asks it: each answer's status and text. */
async function serving(t: Test, answer: RequestListener, signal = AbortSignal.timeout(60_000)) {
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const connections = openConnections()
  t.teardown(() => {
    connections.close()
    server.closeAllConnections()
    server.close()
  })
  const client = httpClient({ connections, signal, maxBytes: 1000, authorization: null })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return async (method: 'GET' | 'POST') => {
    const body = method === 'POST' ? [Buffer.from('wanted')] : []
    const got = await client.request({ url, method, body: over(body) })
    return `${got.statusCode} ${await buffer(got.body as AsyncIterable<Uint8Array>)}`
  }
}

async function* over(pieces: readonly Uint8Array[]): AsyncIterableIterator<Uint8Array> {
  yield* pieces
}

/** Answers the first request of a connection and cuts it at the second, as a server does that has waited long enough. */
function cutting(): RequestListener {
  const seen = new WeakSet<object>()
  return (request, response) => {
    if (seen.has(request.socket)) return void request.socket.destroy()
    seen.add(request.socket)
    response.end('here')
  }
}

t.test('a question on a kept connection that was cut is asked again on a new one', async t => {
  const ask = await serving(t, cutting())

  const answers = [await ask('GET'), await ask('GET')]

  t.same(answers, ['200 here', '200 here'])
})

t.test('what may have changed something is not sent twice', async t => {
  const ask = await serving(t, cutting())
  await ask('POST')

  await t.rejects(ask('POST'), { code: 'ECONNRESET' })
})

t.test('the body of a question arrives whole', async t => {
  const ask = await serving(t, async (request, response) => {
    response.end(`${request.headers['content-length']} ${await buffer(request)}`)
  })

  t.equal(await ask('POST'), '200 6 wanted')
})

t.test('an answer that does not end is ended with the reason that was given', async t => {
  const ending = new AbortController()
  const ask = await serving(
    t,
    (_request, response) => {
      response.write('half')
      setImmediate(() => ending.abort(new Error('enough')))
    },
    ending.signal,
  )

  await t.rejects(ask('GET'), { message: 'enough' })
})

t.test('more than the limit is not taken', async t => {
  const ask = await serving(t, (_request, response) => void response.end(Buffer.alloc(2000)))

  await t.rejects(ask('GET'), /sent more than .* at once/)
})
