import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { connectDocker } from '../../runtime/docker/client.js'
import { endPrivateEngine, findEngine, usualHosts } from '../../runtime/docker/engine.js'
import { programFromImage } from '../../runtime/docker/program.js'
import { programAt } from '../../runtime/nats/server.js'
import { findHaproxy } from '../../runtime/network/find-haproxy.js'
import { busyboxArchive } from '../support/archive.js'
import { testEngine } from '../support/engine.js'
import { temporaryDirectory } from '../support/git-server.js'

/** Answers as an engine does, at the wire: which socket is asked is the question here. */
async function engineAt(socket: string, version: string, t: { teardown(work: () => unknown): void }): Promise<string> {
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ Version: version, ApiVersion: '1.41' })),
  )
  await new Promise<void>(resolve => server.listen(socket, resolve))
  t.teardown(() => server.close())
  return `unix://${socket}`
}

t.test('DOCKER_HOST is the engine, and nothing else is taken where it does not answer', async t => {
  const directory = await temporaryDirectory(t)
  const host = await engineAt(join(directory, 'named.sock'), '1', t)

  t.match(await findEngine({ DOCKER_HOST: host }), { host, private: false, version: '1', apiVersion: '1.41' })
  await t.rejects(findEngine({ DOCKER_HOST: `${host}.gone` }), {
    message: /DOCKER_HOST names .*gone, where no container engine answers/,
  })
})

t.test(
  'a usual socket that answers comes before a private engine, and a private one that answers is reused',
  { skip: existsSync('/var/run/docker.sock') && 'this machine has an engine' },
  async t => {
    const directory = await temporaryDirectory(t)
    const own = await engineAt(join(directory, 'docker.sock'), 'private', t)

    t.match(await findEngine({ XDG_RUNTIME_DIR: '/nowhere', SLIPWAY_ENGINE_DIR: directory }, { mayStart: false }), {
      host: own,
      private: true,
    })

    const run = await temporaryDirectory(t)
    const usual = await engineAt(join(run, 'docker.sock'), 'usual', t)
    t.match(await findEngine({ XDG_RUNTIME_DIR: run, SLIPWAY_ENGINE_DIR: directory }, { mayStart: false }), {
      host: usual,
      private: false,
    })
  },
)

t.test('an instance goes on with the engine that it runs on, and with no other', async t => {
  const directory = await temporaryDirectory(t)
  const at = (name: string, version: string) => engineAt(join(directory, name), version, t)
  const [own, newer, named] = [await at('docker.sock', 'own'), await at('newer.sock', 'newer'), await at('named.sock', 'named')]
  const run = join(directory, 'run')
  mkdirSync(run)
  await engineAt(join(run, 'docker.sock'), 'usual', t)
  const env = { XDG_RUNTIME_DIR: run, SLIPWAY_ENGINE_DIR: '/nowhere' }
  const before = (host: string, isPrivate: boolean) => ({ before: { host, private: isPrivate }, mayStart: false })

  t.match(await findEngine(env, before(own, true)), { host: own, private: true })
  t.match(await findEngine(env, before(newer, false)), { host: newer, private: false })
  t.match(await findEngine({ ...env, DOCKER_HOST: named }, before(own, true)), { host: named }, 'but a person may say so')
  await t.rejects(findEngine(env, before(`${newer}.gone`, false)), {
    message: /on which this instance runs, does not answer: start it/,
  })
  await t.rejects(findEngine(env, before('unix:///nowhere/docker.sock', true)), { message: /no container engine answers/ })
})

t.test('Docker is asked before Podman, the machine before the user', t => {
  t.same(usualHosts({ HOME: '/home/ann', XDG_RUNTIME_DIR: '/run/user/1000' }), [
    'unix:///var/run/docker.sock',
    'unix:///home/ann/.docker/run/docker.sock',
    'unix:///run/user/1000/docker.sock',
    'unix:///run/podman/podman.sock',
    'unix:///run/user/1000/podman/podman.sock',
  ])
  t.same(usualHosts({}), ['unix:///var/run/docker.sock', 'unix:///run/podman/podman.sock'])
  t.end()
})

t.test(
  'where no engine is, people are told what to do',
  { skip: existsSync('/var/run/docker.sock') && 'this machine has an engine' },
  async t => {
    const nowhere = { directory: '/nowhere' }
    await t.rejects(findEngine({}, { ...nowhere, isRoot: false }), {
      message: /no container engine answers \(looked at .*root only.*npm run setup/,
    })
  },
)

const isPossible =
  process.getuid?.() === 0 &&
  ['/usr/sbin/dockerd', '/usr/bin/dockerd', '/usr/local/bin/dockerd'].some(path => existsSync(path)) &&
  mayUnshare()

function mayUnshare(): boolean {
  try {
    execFileSync('unshare', ['--net', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

t.test(
  'a private engine is started once, outlives its dockerd with its containers, and leaves nothing behind',
  { skip: !isPossible && 'needs root, dockerd and namespaces' },
  async t => {
    const directory = join(await temporaryDirectory(t), 'engine')
    t.teardown(() => endPrivateEngine(directory, { volumes: true }))
    const script = fileURLToPath(new URL('../support/private-engine.js', import.meta.url))

    const { stdout } = await promisify(execFile)('unshare', ['--net', process.execPath, script, directory])
    const told = JSON.parse(stdout)

    t.match(told.one, { host: `unix://${join(directory, 'docker.sock')}`, private: true, apiVersion: /^1\./ })
    t.same(told.two, told.one, 'two that start at once get the same')
    t.same(told.three, told.one)
    t.match(told.found, { host: told.one.host, version: told.one.version })
    t.not(told.secondPid, told.firstPid)
    t.equal(told.after.Pid, told.before.Pid, 'the container did not notice')
    t.equal(told.after.Running, true)
    t.same(told.kept, ['precious'], 'volumes are kept unless named')
    t.same(told.keptAfterwards, [])
    t.notOk(existsSync(directory))
    t.same(processesThatName(directory), [])
  },
)

function processesThatName(text: string): readonly string[] {
  const lines = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        return ''
      }
    })
  return lines.filter(line => line.includes(text))
}

t.test('a program is taken out of an image, as it is and ready to run', async t => {
  const docker = connectDocker(testEngine.host)
  const tag = `slipway-program-${randomBytes(4).toString('hex')}/program:1`
  const directory = await temporaryDirectory(t)
  t.teardown(async () => {
    await docker.images.remove(tag)
    await docker.close()
  })
  const content = `#!/bin/sh\necho ${'nats-server: v2.99.1 '.repeat(100)}\n`
  const { id, archive } = busyboxArchive({ tag, files: { '/nats-server': content } })
  await docker.images.load(archive)
  const target = join(directory, 'nats-server')

  await programFromImage(docker, { image: tag, path: '/nats-server' }, target, AbortSignal.timeout(60_000))

  t.equal(readFileSync(target, 'utf8'), content)
  t.match(await programAt(target), { version: '2.99.1', syncsAlways: true })
  await t.rejects(programFromImage(docker, { image: tag, path: '/nothing' }, target, AbortSignal.timeout(60_000)))
  const left = (await docker.containers.list([])).filter(({ ImageID }) => ImageID === id)
  t.same(left, [])
})

t.test('HAProxy is found with its version, or not', async t => {
  const found = await findHaproxy(process.env)

  t.match(found, { path: /haproxy$/, version: /^\d+\.\d+/ })
})
