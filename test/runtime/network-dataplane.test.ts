import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { renameSync } from 'node:fs'
import { type Agent, get } from 'node:http'
import { connect, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../../runtime/network/haproxy/socket.js'
import { until } from '../support/controller.js'
import { endpoint, httpPod, service, state, tcpPod, testPlane } from '../support/network.js'

const signal = AbortSignal.timeout(100_000)
const { plane, stateDir, serviceBridge, end } = testPlane()
t.before(() => plane.start(signal))
t.teardown(end)

function fetchText(host: string, port: number, path = '/', agent?: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    get({ host, port, path, agent: agent ?? false, signal: AbortSignal.timeout(5_000) }, response => {
      let body = ''
      response.on('data', chunk => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    }).on('error', reject)
  })
}

t.test('a request to the Service address reaches its pod', async t => {
  const pod = await httpPod((request, response) => response.end(String(request.headers['x-forwarded-for'])))
  t.teardown(pod.end)

  await plane.apply(state([service('web')], [endpoint('web', pod)]), signal)

  const answer = await fetchText(plane.clusterIP('shop', 'web'), 80)
  t.equal(answer.status, 200)
  t.match(answer.body, /^\d+\.\d+\.\d+\.\d+$/, 'the client address is forwarded')
})

t.test('a Service without a ready pod answers 503 at once over HTTP and turns TCP away', async t => {
  await plane.apply(state([service('web'), service('db', { mode: 'tcp' })]), signal)

  t.equal((await fetchText(plane.clusterIP('shop', 'web'), 80)).status, 503)
  const closed = await new Promise(resolve => {
    const socket = connect(80, plane.clusterIP('shop', 'db'))
    socket.once('error', () => resolve('reset')).once('close', () => resolve('closed'))
  })
  t.match(closed, /reset|closed/)
})

t.test('what a port speaks is found out from the first bytes', async t => {
  const pods = { web: await httpPod(), mail: await tcpPod() }
  t.teardown(() => Promise.all(Object.values(pods).map(pod => pod.end())))

  const services = [service('web', { mode: 'detect' }), service('mail', { mode: 'detect' })]
  await plane.apply(state(services, [endpoint('web', pods.web), endpoint('mail', pods.mail)]), signal)

  t.equal((await fetchText(plane.clusterIP('shop', 'web'), 80)).body, pods.web.ip)
  const heard = await new Promise<string>((resolve, reject) => {
    const socket = connect(80, plane.clusterIP('shop', 'mail'))
    let text = ''
    socket.once('error', reject)
    socket.on('data', data => {
      text += data
      if (text === '220 hello\r\n') socket.write('EHLO\r\n')
      if (text.endsWith('EHLO\r\n')) socket.end(() => resolve(text))
    })
  })
  t.equal(heard, '220 hello\r\nEHLO\r\n')
})

t.test(
  'a Service bridge that somebody deletes, sets down or takes the addresses from is back at once, with all of them',
  async t => {
    const pod = await httpPod()
    t.teardown(pod.end)
    await plane.apply(state([service('web')], [endpoint('web', pod)]), signal)
    const ip = (...args: string[]) => execFileSync('ip', args, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })

    for (const args of [
      ['link', 'del', serviceBridge],
      ['link', 'set', serviceBridge, 'down'],
      ['route', 'flush', 'dev', serviceBridge, 'table', 'local'],
    ]) {
      ip(...args)
      t.equal(
        await until('it answers again', () => fetchText(plane.clusterIP('shop', 'web'), 80).then(({ body }) => body)),
        pod.ip,
        args.join(' '),
      )
    }
  },
)

t.test('what was steered by half is steered again, though it is to be as it was before', async t => {
  const pod = await httpPod()
  t.teardown(pod.end)
  const serving = state([service('web')], [endpoint('web', pod)])
  await plane.apply(serving, signal)
  const admin = join(stateDir, 'admin.sock')
  renameSync(admin, `${admin}.real`)
  let isMute = true
  // Changes reach HAProxy; its word on what it has does not come back.
  const between = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    socket.once('data', command => {
      if (isMute && String(command).startsWith('show servers state')) return socket.destroy()
      const real = createConnection(`${admin}.real`).on('error', () => socket.destroy())
      real.end(command)
      real.pipe(socket)
    })
  }).listen(admin)
  await once(between, 'listening')

  await t.rejects(
    plane.apply(state([service('web')], [endpoint('web', pod, { state: 'draining' })]), signal),
    /show servers state/,
  )
  isMute = false
  await plane.apply(serving, signal)

  t.equal((await fetchText(plane.clusterIP('shop', 'web'), 80)).body, pod.ip)
  between.close()
  renameSync(`${admin}.real`, admin)
})

t.test('an answer of HAProxy that was cut short is no answer', async t => {
  const path = join(stateDir, 'answering.sock')
  let answer = ''
  const server = createServer({ allowHalfOpen: true }, socket => socket.end(answer)).listen(path)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const table: readonly [string, boolean][] = [
    ['', false],
    ['#<PID> <type> <reloads>\n', false],
    ['#<PID> <type> <reloads>\n1 master 0\n\n', true],
    ['\n', true],
  ]
  for (const [text, isWhole] of table) {
    answer = text
    const asked = ask(path, 'show proc').catch(error => error.cause.message)
    t.equal(await asked, isWhole ? text : 'its answer was cut short', JSON.stringify(text))
  }
})
