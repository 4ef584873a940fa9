import { readFile, stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { connect } from 'nats'
import t from 'tap'
import {
  describeNats,
  findNats,
  natsConfiguration,
  natsPaths,
  runningNats,
  startNats,
  stopNats,
} from '../../runtime/nats/server.js'
import { temporaryDirectory } from '../support/git-server.js'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

const authorization = (password: string) => `authorization { users: [ { user: "controller", password: "${password}" } ] }`

t.test('versions before 2.10 are known to sync late, and are not given an option that they refuse', t => {
  const options = { directory: '/tmp/x', port: 4222, authorization: '' }
  t.match(describeNats('/n', '2.9.10'), { syncsAlways: false, warning: /2\.9\.10 does not sync each write/ })
  for (const version of ['2.10.0', '2.15.2', '3.0.0']) t.match(describeNats('/n', version), { syncsAlways: true, warning: '' })
  t.notMatch(natsConfiguration({ syncsAlways: false }, options), /sync_interval/)
  t.match(natsConfiguration({ syncsAlways: true }, options), /sync_interval: always/)
  t.end()
})

t.test('a server is started once, found again, told of new rights, and ended', async t => {
  const directory = await temporaryDirectory(t)
  t.teardown(() => stopNats(directory))
  const program = await findNats(process.env, { mayBuild: false })
  const port = await freePort()

  const first = await startNats(program, { directory, port, authorization: authorization('one') })
  const again = await startNats(program, { directory, port, authorization: authorization('one') })

  t.equal(again.pid, first.pid)
  t.equal(runningNats(directory), first.pid)
  t.equal((await stat(first.configPath)).mode & 0o777, 0o600)
  const connection = await connect({ servers: first.url, user: 'controller', pass: 'one' })
  const stream = await (await connection.jetstreamManager()).streams.add({ name: 'kept', subjects: ['kept'] })
  await connection.jetstream().publish('kept', 'x')
  t.equal(stream.config.name, 'kept')
  await connection.close()

  const changed = await startNats(program, { directory, port, authorization: authorization('two') })
  t.equal(changed.pid, first.pid, 'new rights need no restart')
  await until(() => connect({ servers: first.url, user: 'controller', pass: 'two' }).then(c => c.close()))
  await t.rejects(connect({ servers: first.url, user: 'controller', pass: 'one' }))

  await stopNats(directory)
  t.equal(runningNats(directory), 0)
  const restarted = await startNats(program, { directory, port, authorization: authorization('two') })
  const after = await connect({ servers: restarted.url, user: 'controller', pass: 'two' })
  t.equal((await (await after.jetstreamManager()).streams.info('kept')).state.messages, 1, 'what was stored is there')
  await after.close()
})

async function until(work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const done = await work().then(
      () => true,
      () => false,
    )
    if (done) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

t.test('a server that cannot start says why', async t => {
  const directory = await temporaryDirectory(t)
  const program = await findNats(process.env, { mayBuild: false })

  await t.rejects(startNats(program, { directory, port: await freePort(), authorization: 'authorization { nonsense' }), {
    message: /did not start on 127\.0\.0\.1/,
  })

  t.ok(await readFile(natsPaths(directory).log, 'utf8'))
})
