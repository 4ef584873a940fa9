import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { HandlerSpec, ProbeSpec } from '../../runtime/pods/types.js'
import { check, type RunInContainer } from '../../runtime/probe/check.js'
import { afterAnswer, initialState, nextTry, type ProbeState } from '../../runtime/probe/threshold.js'
import { runProbe } from '../../runtime/probe/worker.js'

function spec(over: Partial<ProbeSpec> = {}): ProbeSpec {
  const handler: HandlerSpec = { kind: 'tcpSocket', port: 80 }
  return {
    handler,
    initialDelaySeconds: 0,
    periodSeconds: 10,
    timeoutSeconds: 1,
    successThreshold: 1,
    failureThreshold: 3,
    ...over,
  }
}

const never = new AbortController().signal
const noCommand = { ip: '127.0.0.1', run: async () => ({ exitCode: 0, output: '' }) }

t.test('results change only at their threshold', async t => {
  const cases: readonly [string, Partial<ProbeSpec>, 'readiness' | 'liveness' | 'startup', string, string][] = [
    ['ready at the first success', {}, 'readiness', '+', 'success'],
    ['ready only after two in a row', { successThreshold: 2 }, 'readiness', '+-+', 'failure'],
    ['two in a row', { successThreshold: 2 }, 'readiness', '+-++', 'success'],
    ['two failures are not three', {}, 'liveness', '+--', 'success'],
    ['three failures in a row', {}, 'liveness', '---', 'failure'],
    ['a success in between starts the count again', {}, 'liveness', '--+--', 'success'],
    ['a start is unknown until it is known', {}, 'startup', '--', 'unknown'],
    ['a start that fails for good', {}, 'startup', '---', 'failure'],
    ['ready ones stay so below the threshold', {}, 'readiness', '+--', 'success'],
    ['and are not ready at it', {}, 'readiness', '+---', 'failure'],
  ]
  for (const [name, over, kind, answers, result] of cases) {
    const state = [...answers].reduce<ProbeState>(
      (now, each) => afterAnswer(now, { ok: each === '+', message: 'x' }, spec(over)),
      initialState(kind),
    )
    t.equal(state.result, result, name)
  }
})

t.test('a container that is expected to become ready is tried often, then by its period', async t => {
  const fresh = initialState('readiness')
  t.match(nextTry(spec(), 'readiness', fresh, 5), { afterMs: 100, eager: true })
  t.match(nextTry(spec(), 'readiness', afterAnswer(fresh, { ok: true, message: '' }, spec()), 6), {
    afterMs: 10_000,
    eager: false,
  })
  t.match(nextTry(spec(), 'liveness', initialState('liveness'), 0), { afterMs: 10_000, eager: false })
})

t.test('http', async t => {
  const server = createHttpServer((request, response) => {
    if (request.url === '/ok') response.end('fine')
    else if (request.url === '/moved') response.writeHead(302, { location: '/gone' }).end()
    else if (request.url === '/elsewhere') response.writeHead(302, { location: 'http://example.invalid/' }).end()
    else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end()
    else if (request.url === '/headers')
      response.writeHead(request.headers['x-a'] === '1' && request.headers['user-agent'] === 'kube-probe/1.36' ? 204 : 400).end()
    else if (request.url === '/endless') response.write('x'.repeat(100_000))
    else if (request.url !== '/silent') response.writeHead(503).end('down for repair')
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const get = (path: string, more: Partial<Extract<HandlerSpec, { kind: 'httpGet' }>> = {}) =>
    check({ kind: 'httpGet', path, port, scheme: 'HTTP', headers: [], ...more }, noCommand, 1000, never)

  t.match(await get('/ok'), { ok: true })
  t.match(await get('/bad'), { ok: false, message: /HTTP 503: down for repair/ })
  t.match(await get('/moved'), { ok: false, message: /gone: HTTP 503/ }, 'a redirect on the same host is followed')
  t.match(await get('/elsewhere'), { ok: true }, 'a redirect to another host counts as an answer')
  t.match(await get('/loop'), { ok: false, message: /redirects/ })
  t.match(await get('/headers', { headers: [{ name: 'X-A', value: '1' }] }), { ok: true })
  t.match(await get('/endless'), { ok: true }, 'a body without end is not waited for')
  t.match(await get('/silent'), { ok: false, message: /no answer within 1000 ms/ })
  t.match(await check({ kind: 'httpGet', path: '/', port: 1, scheme: 'HTTP', headers: [] }, noCommand, 1000, never), {
    ok: false,
    message: /ECONNREFUSED/,
  })
})

t.test('tcp', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  t.match(await check({ kind: 'tcpSocket', port }, noCommand, 1000, never), { ok: true })
  await new Promise(resolve => server.close(resolve))
  t.match(await check({ kind: 'tcpSocket', port }, noCommand, 1000, never), { ok: false, message: /ECONNREFUSED/ })
})

t.test('grpc', async t => {
  const server = createHttp2Server()
  server.on('stream', stream => {
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('end', () => {
      const service = Buffer.concat(parts).subarray(7).toString()
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': service === 'unheard-of' ? '5' : '0' }))
      stream.end(service === 'unheard-of' ? '' : Buffer.from([0, 0, 0, 0, 2, 8, service === 'sick' ? 2 : 1]))
    })
  })
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const ask = (service: string) => check({ kind: 'grpc', port, service }, noCommand, 1000, never)

  t.match(await ask(''), { ok: true })
  t.match(await ask('shop'), { ok: true })
  t.match(await ask('sick'), { ok: false, message: /NOT_SERVING/ })
  t.match(await ask('unheard-of'), { ok: false, message: /grpc status 5/ })
  t.match(await check({ kind: 'grpc', port: 1, service: '' }, noCommand, 1000, never), { ok: false, message: /ECONNREFUSED/ })
})

t.test('a command that could not be run says nothing about the container', async t => {
  const exec: HandlerSpec = { kind: 'exec', command: ['check'] }
  const run = (answer: () => Promise<{ exitCode: number; output: string }>) => check(exec, { ip: '', run: answer }, 50, never)

  const hang: RunInContainer = (_, signal) => sleep(5000, { exitCode: 0, output: '' }, { signal })

  t.match(await run(async () => ({ exitCode: 0, output: '' })), { ok: true })
  t.match(await run(async () => ({ exitCode: 3, output: 'not yet\n' })), {
    ok: false,
    message: 'command check ended with 3: not yet',
  })
  t.equal(await run(() => Promise.reject(new Error('engine away'))), null)
  t.match(await check(exec, { ip: '', run: hang }, 50, never), { ok: false, message: /not done within 50 ms/ })
})

t.test('a worker says it when a server appears, and again when it goes', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  const ending = new AbortController()
  const results: string[] = []
  const changed = new Map<string, () => void>()
  const until = (result: string) =>
    new Promise<void>(resolve => (results.includes(result) ? resolve() : changed.set(result, resolve)))
  const onResult = (state: ProbeState): void => {
    results.push(state.result)
    changed.get(state.result)?.()
  }
  const probe = spec({ handler: { kind: 'tcpSocket', port }, periodSeconds: 1, failureThreshold: 1 })
  const worker = runProbe({ kind: 'readiness', spec: probe, target: noCommand, runningMs: 0, onResult }, ending.signal)

  const again = createServer().listen(port, '127.0.0.1')
  await until('success')
  await new Promise(resolve => again.close(resolve))
  await until('failure')
  ending.abort()
  await worker
  t.strictSame(results, ['success', 'failure'])
})
