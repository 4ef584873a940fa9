import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { HandlerSpec, ProbeSpec } from '../../runtime/pods/types.js'
import { type Answer, readAnswer } from '../../runtime/probe/answer.js'
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

t.test('an answer is read as far as a probe looks at it', async t => {
  const ok = 'HTTP/1.1 200 OK\r\n'
  const cases: readonly [string, string, Partial<Answer> | null | RegExp, (Partial<Answer> | RegExp)?][] = [
    ['by its length', `${ok}Content-Length: 4\r\n\r\nfine and more`, { status: 200, body: 'fine' }],
    ['not whole yet', `${ok}content-length: 4\r\n\r\nfi`, null, /closed before the answer was whole/],
    ['a head that is not whole yet', `${ok}content-le`, null, /closed before the answer was whole/],
    ['nothing', '', null, /closed without an answer/],
    ['up to the end', `${ok}\r\nfine`, null, { status: 200, body: 'fine' }],
    ['lines that end with LF alone', 'HTTP/1.0 200\ncontent-length: 2\n\nok', { status: 200, body: 'ok' }],
    ['in chunks', `${ok}transfer-encoding: chunked\r\n\r\n3;x=1\r\nfin\r\n1\r\ne\r\n0\r\n\r\n`, { body: 'fine' }],
    [
      'a chunk that is not whole yet',
      `${ok}transfer-encoding: gzip, chunked\r\n\r\n5\r\nfin`,
      null,
      /before the answer was whole/,
    ],
    ['chunks without an end', `${ok}transfer-encoding: chunked\r\n\r\n3\r\nfin\r\n`, null, /before the answer was whole/],
    ['a chunk without a length', `${ok}transfer-encoding: chunked\r\n\r\nfine\r\n`, /a chunk of the answer has no length/],
    ['no body', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', { status: 204, body: '' }],
    ['what comes before', `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${ok}content-length: 0\r\n\r\n`, { status: 200 }],
    ['only what comes before', 'HTTP/1.1 100 Continue\r\n\r\n', null, /closed without an answer/],
    ['another protocol is one of its own', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n', { status: 101 }],
    ['where to', 'HTTP/1.1 302 Found\r\nLOCATION:  /there \r\ncontent-length: 0\r\n\r\n', { status: 302, location: '/there' }],
    ['a long body', `${ok}content-length: 99999\r\n\r\n${'x'.repeat(20_000)}`, { body: 'x'.repeat(10_240) }],
    ['long chunks', `${ok}transfer-encoding: chunked\r\n\r\nffff\r\n${'x'.repeat(20_000)}`, { body: 'x'.repeat(10_240) }],
    ['a length that is none', `${ok}content-length: -1\r\n\r\n`, /Content-Length: -1/],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', /no HTTP/],
    ['a status that is none', 'HTTP/1.1 two hundred\r\n\r\n', /no HTTP: HTTP\/1.1 two hundred/],
    ['headers without end', `${ok}${'a: b\r\n'.repeat(20_000)}`, /headers of more than 64 kB/],
  ]
  const outcome = (text: string, ended: boolean) => {
    try {
      return readAnswer(Buffer.from(text, 'latin1'), ended)
    } catch (error) {
      return (error as Error).message
    }
  }
  for (const [name, text, expected, atTheEnd] of cases) {
    t.match(outcome(text, false), expected, name)
    t.match(outcome(text, true), atTheEnd ?? expected, `${name}, and nothing more comes`)
    // However it comes, nothing else is read, and nothing before it is whole.
    for (let cut = 1; cut < Math.min(text.length, 100); cut++) {
      const part = outcome(text.slice(0, cut), false)
      if (part !== null) t.same(part, outcome(text, false), `${name}, ${cut} bytes of it`)
    }
  }
})

t.test('a server that says something else, closes, or answers byte by byte', async t => {
  const says: Readonly<Record<string, readonly string[]>> = {
    '/ok': [...'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    '/cut': ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok'],
    '/none': [],
    '/old': ['HTTP/1.0 500 Broken\r\n\r\nthe moon is down'],
    '/ssh': ['SSH-2.0-OpenSSH_9.2\r\n'],
  }
  const asked: string[] = []
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', async data => {
      asked.push(data.toString())
      for (const part of says[/^GET (\S+)/.exec(data.toString())?.[1] ?? ''] ?? []) {
        socket.write(part)
        await sleep(1)
      }
      socket.end()
    })
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const get = (path: string, headers: { readonly name: string; readonly value: string }[] = []) =>
    check({ kind: 'httpGet', path, port, scheme: 'HTTP', headers }, noCommand, 5000, never)

  t.match(await get('/ok'), { ok: true })
  t.equal(
    asked[0],
    `GET /ok HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nuser-agent: kube-probe/1.36\r\naccept: */*\r\nconnection: close\r\n\r\n`,
  )
  t.match(await get('/cut'), { ok: false, message: /closed before the answer was whole/ })
  t.match(await get('/none'), { ok: false, message: /closed without an answer/ })
  t.match(await get('/old'), { ok: false, message: /HTTP 500: the moon is down/ })
  t.match(await get('/ssh'), { ok: false, message: /the answer is no HTTP/ })
  const named = [
    { name: 'Host', value: 'shop.test' },
    { name: 'X-A', value: '1' },
    { name: 'x-a', value: '2' },
    { name: 'Accept', value: '' },
  ]
  await get('/ok', named)
  t.match(asked.at(-1), /\r\nhost: shop\.test\r\nuser-agent: kube-probe\/1\.36\r\nconnection: close\r\nx-a: 1\r\nx-a: 2\r\n\r\n$/)
  t.match(await get('/ok', [{ name: 'x', value: 'a\r\nb: c' }]), { ok: false, message: /[Ii]nvalid/ }, 'nothing is smuggled in')
  t.match(await get('/a b\r\nc'), { ok: false, message: /closed without an answer/ })
  t.match(asked.at(-1), /^GET \/a%20bc HTTP/)
})

/** It guards nothing. */
const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbEWya9ndsiZPR4IW
ChGRMnYKNMCZUCq6vooIcWqSnoihRANCAARgbYq1EmTQSTvdsUiXymuNW8JduQJ3
0E6aXr3efXCE8Uixu4surtWhyR8CBQ/oCt6IcQ3F2YpP9tKPzOPKPVA+
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUJmMYgnp4cdxYQkaV0p0n1l7XvOcwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKcHJvYmUudGVzdDAgFw0yNjExMjExNjM5NDFaGA8yMTI2MTAy
ODE2Mzk0MVowFTETMBEGA1UEAwwKcHJvYmUudGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABGBtirUSZNBJO92xSJfKa41bwl25AnfQTppevd59cITxSLG7iy6u
1aHJHwIFD+gK3ohxDcXZik/20o/M48o9UD6jUzBRMB0GA1UdDgQWBBRR5YlcOQ3M
15vkhRNPLBgKv/CstjAfBgNVHSMEGDAWgBRR5YlcOQ3M15vkhRNPLBgKv/CstjAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIDKPZZy1CnWuVBDnLcFp
anKZ/ZmAJkTPsC2UKpV31oayAiEAqcBnNbUAyLpbMPwFZ3hzyZJ7OVZAs8iVap5N
mYHpOWU=
-----END CERTIFICATE-----`,
}

t.test('https is not verified', async t => {
  const server = createSecureServer(
    selfSigned,
    (request, response) => void response.writeHead(request.url === '/ok' ? 200 : 503).end('down'),
  )
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const get = (path: string, host?: string) =>
    check({ kind: 'httpGet', path, port, scheme: 'HTTPS', headers: [], ...(host ? { host } : {}) }, noCommand, 5000, never)

  t.match(await get('/ok'), { ok: true })
  t.match(await get('/ok', 'localhost'), { ok: true })
  t.match(await get('/bad'), { ok: false, message: /HTTP 503: down/ })
})

t.test('pods of one template are asked at their own addresses, as often as it takes', async t => {
  const hosts: string[] = []
  const server = createHttpServer((request, response) => {
    hosts.push(request.headers.host ?? '')
    response.end()
  }).listen(0, '0.0.0.0')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const handler: HandlerSpec = { kind: 'httpGet', path: '/', port, scheme: 'HTTP', headers: [] }
  const [first, second] = ['127.0.0.1', '127.0.0.2'].map(ip => ({ ...noCommand, ip }))

  for (const target of [first, second, first, second]) t.match(await check(handler, target!, 1000, never), { ok: true })
  t.match(await check({ ...handler, path: 'x' }, first!, 1000, never), { ok: true }, 'another handler of the same container')

  t.same(
    hosts,
    ['127.0.0.1', '127.0.0.2', '127.0.0.1', '127.0.0.2', '127.0.0.1'].map(ip => `${ip}:${port}`),
  )
})
