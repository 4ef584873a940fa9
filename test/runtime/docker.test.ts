import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { volumeOfClaim } from '../../runtime/docker/claims.js'
import { chooseApi, connectDocker } from '../../runtime/docker/client.js'
import { isEngineError } from '../../runtime/docker/errors.js'
import { followEvents } from '../../runtime/docker/events.js'
import { runCommand } from '../../runtime/docker/exec.js'
import { readFrames, readLines } from '../../runtime/docker/frames.js'
import { createImages } from '../../runtime/docker/images.js'
import { ensurePauseImage, pauseProgram } from '../../runtime/docker/pause-image.js'
import { parseReference } from '../../runtime/docker/reference.js'
import { pickAuth } from '../../runtime/docker/registry-auth.js'
import { freeBytes, imageDirectory, type Room } from '../../runtime/docker/room.js'
import { connectTransport } from '../../runtime/docker/transport.js'
import { busyboxParts } from '../support/archive.js'
import { startImageServer } from '../support/image-server.js'
import { busyboxArchive, loadBusybox, testDocker } from '../support/images.js'

const signal = AbortSignal.timeout(100_000)
const docker = testDocker()
const mark = `dockertest${process.pid}`

t.teardown(async () => {
  for (const each of await docker.containers.list([`slipway.test=${mark}`])) await docker.containers.remove(each.Id)
  for (const image of ['one', 'web']) await docker.images.remove(`slipway-${mark}/${image}:1`).catch(() => undefined)
  await docker.close()
})

t.test('image references', async t => {
  const cases: readonly [string, object | null][] = [
    ['web', { registry: 'docker.io', repository: 'library/web', tag: 'latest', text: 'web:latest' }],
    ['shop/web:1.2', { registry: 'docker.io', repository: 'shop/web', tag: '1.2', text: 'shop/web:1.2' }],
    ['localhost/web', { registry: 'localhost', repository: 'web', text: 'localhost/web:latest' }],
    ['127.0.0.1:5000/a/b:x', { registry: '127.0.0.1:5000', repository: 'a/b', tag: 'x' }],
    [
      `r.example/web:1@sha256:${'a'.repeat(64)}`,
      { registry: 'r.example', digest: `sha256:${'a'.repeat(64)}`, text: `r.example/web@sha256:${'a'.repeat(64)}` },
    ],
    ['Web:1', null],
    ['web:', null],
    ['', null],
    ['web@sha256:12', null],
    ['a//b', null],
    ['web:1@', null],
    ['-web', null],
    ['a'.repeat(64), { repository: `library/${'a'.repeat(64)}` }],
    ['f'.repeat(64), null],
  ]
  for (const [text, expected] of cases.slice(0, -2)) {
    const parsed = parseReference(text)
    if (expected === null) t.equal(parsed, null, `refused: "${text}"`)
    else t.match(parsed, expected, text)
  }
  t.equal(parseReference('f'.repeat(64)), null, 'an image id is no name')
})

t.test('credentials are given to the registry they are for', async t => {
  const config = JSON.stringify({
    auths: {
      'r.example': { auth: Buffer.from('u:p:w').toString('base64') },
      'r.example/team': { username: 'team', password: 'x' },
      'https://index.docker.io/v1/': { username: 'hub', password: 'y' },
      '*.cloud.example': { identitytoken: 'tok' },
    },
  })
  const of = (text: string) => pickAuth(parseReference(text)!, ['not json', config])
  t.match(of('r.example/web'), { username: 'u', password: 'p:w' })
  t.match(of('r.example/team/web'), { username: 'team' })
  t.match(of('r.example/teamwork/web'), { username: 'u' })
  t.match(of('nginx'), { username: 'hub' })
  t.match(of('eu.cloud.example/web'), { identitytoken: 'tok' })
  t.equal(of('a.eu.cloud.example/web'), null)
  t.equal(of('other.example/web'), null)
})

t.test('the API version is moved into what the engine takes', async t => {
  const choose = (newest: string, oldest: string) => chooseApi({ Version: 'x', ApiVersion: newest, MinAPIVersion: oldest })
  t.equal(choose('1.41', '1.12'), '1.41')
  t.equal(choose('1.40', '1.12'), '1.40')
  t.equal(choose('1.52', '1.44'), '1.44')
  t.throws(() => choose('1.39', '1.12'), /update the engine/)
})

t.test('log frames in pieces of any size are whole lines again', async t => {
  const frame = (stream: number, text: string): Buffer => {
    const head = Buffer.alloc(8)
    head[0] = stream
    head.writeUInt32BE(Buffer.byteLength(text), 4)
    return Buffer.concat([head, Buffer.from(text)])
  }
  const whole = Buffer.concat([
    frame(1, '2026-01-02T03:04:05.6Z first\n2026-01-02T03:04:06Z sec'),
    frame(2, '2026-01-02T03:04:05Z oops\n'),
    frame(1, 'ond\n'),
  ])
  for (const size of [1, 3, 7, 1000]) {
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size)
    }
    const lines = []
    for await (const line of readLines(pieces(), false)) lines.push(line)
    t.strictSame(lines, [
      { at: '2026-01-02T03:04:05.6Z', stream: 'stdout', text: 'first' },
      { at: '2026-01-02T03:04:05Z', stream: 'stderr', text: 'oops' },
      { at: '2026-01-02T03:04:06Z', stream: 'stdout', text: 'second' },
    ])
    for await (const chunk of readFrames(pieces(), false)) t.ok(['stdout', 'stderr'].includes(chunk.stream))
  }
})

t.test('a line that the engine kept in pieces has the time of its first piece', async t => {
  const frame = (stream: number, text: string): Buffer =>
    Buffer.concat([Buffer.from([stream, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)])
  const pieces = async function* (): AsyncGenerator<Buffer> {
    yield frame(1, '2026-01-02T03:04:05Z x=1')
    yield frame(2, '2026-01-02T03:04:05.5Z oops\n')
    yield frame(1, '2026-01-02T04:04:06+01:00 \n')
    yield frame(1, '2026-01-02T03:04:07Z 2026-01-02T03:04:07Z is what it printed\n')
  }
  const lines = []
  for await (const line of readLines(pieces(), false)) lines.push(`${line.at} ${line.stream} ${line.text}`)
  t.strictSame(lines, [
    '2026-01-02T03:04:05.5Z stderr oops',
    '2026-01-02T03:04:05Z stdout x=1',
    '2026-01-02T03:04:07Z stdout 2026-01-02T03:04:07Z is what it printed',
  ])
})

t.test('an engine that is not there is unreachable, and says so', async t => {
  const nobody = connectDocker('unix:///nonexistent/engine.sock')
  t.teardown(() => nobody.close())
  t.match(await errorOf(nobody.info()), { kind: 'unreachable', transient: true })
  t.throws(() => connectDocker('ssh://somewhere'), /DOCKER_HOST/)
})

t.test('an engine that hangs is given up after the limit; a caller that gives up keeps its own reason', async t => {
  const hanging = createServer(() => undefined).listen(0, '127.0.0.1')
  await new Promise(resolve => hanging.once('listening', resolve))
  t.teardown(() => {
    hanging.closeAllConnections()
    hanging.close()
  })
  const slow = connectDocker(`tcp://127.0.0.1:${(hanging.address() as AddressInfo).port}`)
  t.teardown(() => slow.close())
  const leaving = new AbortController()
  const asked = slow.version(leaving.signal)
  leaving.abort(new Error('no longer wanted'))
  await t.rejects(asked, /no longer wanted/)
})

t.test(
  'who takes an answer slowly gets all of it, whatever the limit; an engine that stops in the middle is given up',
  async t => {
    const whole = 4 * 2 ** 20
    const engine = createServer((asked, answer) => {
      if (asked.url === '/small') answer.end('x'.repeat(100_000))
      else if (asked.url === '/whole') answer.end(Buffer.alloc(whole, 'x'))
      else if (asked.url === '/stops') answer.write('x'.repeat(100_000))
    }).listen(0, '127.0.0.1')
    await new Promise(resolve => engine.once('listening', resolve))
    const transport = connectTransport(`tcp://127.0.0.1:${(engine.address() as AddressInfo).port}`, async () => '')
    t.teardown(async () => {
      await transport.close()
      engine.closeAllConnections()
      engine.close()
    })
    const limitMs = 100
    const read = async (path: string): Promise<number> => {
      let [bytes, pauses] = [0, 3]
      for await (const piece of await transport.open({ method: 'GET', path, limitMs, doing: 'reading' })) {
        bytes += piece.length
        if (pauses-- > 0) await new Promise(resolve => setTimeout(resolve, 5 * limitMs))
      }
      return bytes
    }

    t.equal(await read('/small'), 100_000)
    t.equal(await read('/whole'), whole)
    for (const path of ['/stops', '/silent']) await t.rejects(read(path), /no answer within 0\.1 s/, path)
  },
)

t.test('a container from creation to removal', async t => {
  await loadBusybox(docker, { tag: `slipway-${mark}/one:1` })
  const seen: string[] = []
  let connected = () => {}
  const listening = new Promise<void>(resolve => {
    connected = resolve
  })
  const ending = new AbortController()
  const following = followEvents(
    docker,
    [`slipway.test=${mark}`],
    { onConnect: () => connected(), onEvent: event => seen.push(event.Action), onLost: error => t.fail(String(error)) },
    ending.signal,
  )
  await listening
  const body = {
    Image: `slipway-${mark}/one:1`,
    Cmd: ['sh', '-c', 'echo out; echo err >&2; sleep 60'],
    Labels: { 'slipway.test': mark },
  }

  const { Id } = await docker.containers.create(`${mark}_a`, body, signal)
  t.match(await errorOf(docker.containers.create(`${mark}_a`, body, signal)), { kind: 'conflict' })
  await docker.containers.start(Id, signal)
  await docker.containers.start(Id, signal)
  const ran = await runCommand(docker, Id, ['sh', '-c', 'echo hello; exit 7'], 1000, signal)
  t.strictSame(ran, { exitCode: 7, output: 'hello\n' })
  await t.rejects(runCommand(docker, Id, ['sleep', '50'], 1000, AbortSignal.timeout(300)), { name: 'TimeoutError' })
  t.equal(await docker.containers.kill(Id, 'SIGKILL', signal), true)
  t.match(await docker.containers.wait(Id, signal), { StatusCode: 137 })
  t.equal(await docker.containers.kill(Id, 'SIGKILL', signal), false)
  const lines = []
  for await (const line of docker.containers.logs(Id, { tail: 10 }, signal)) lines.push(`${line.stream} ${line.text}`)
  t.strictSame(lines.sort(), ['stderr err', 'stdout out'])
  await docker.containers.remove(Id, signal)
  await docker.containers.remove(Id, signal)

  t.match(await errorOf(docker.containers.inspect(Id, signal)), { kind: 'notFound', transient: false })
  while (!seen.includes('destroy')) await new Promise(resolve => setTimeout(resolve, 20))
  ending.abort()
  await following
  t.strictSame(seen, ['start', 'die', 'destroy'])
})

t.test('the image that holds a pod open is made without a registry and runs', async t => {
  const id = await ensurePauseImage(docker, signal)
  t.equal(await ensurePauseImage(docker, signal), id)
  const { Id } = await docker.containers.create(`${mark}_pause`, { Image: id, Labels: { 'slipway.test': mark } }, signal)
  await docker.containers.start(Id, signal)
  await docker.containers.kill(Id, 'SIGTERM', signal)
  t.match(await docker.containers.inspect(Id, signal), { State: { Running: true } })
  await docker.containers.remove(Id, signal)
  t.ok(pauseProgram('arm64').length < 400)
})

t.test('images: what is here, what is not, what no registry could have', async t => {
  const images = createImages(docker)
  const id = await loadBusybox(docker, { tag: `slipway-${mark}/one:1`, user: '1000' })
  const local = `slipway-${mark}/one:1`

  t.match(await images.ensureImage(local, 'IfNotPresent', [], signal), { id, digest: id, user: '1000' })
  t.match(await images.ensureImage(local, 'Never', [], signal), { id })
  t.match(
    await images.ensureImage(`slipway-${mark}/moved:2`, 'IfNotPresent', [], signal, { pinned: id }),
    { id },
    'a pinned id is found whatever its tag',
  )
  t.match(await images.ensureImage('UPPER', 'Always', [], signal), { reason: 'InvalidImageName', transient: false })
  t.match(await images.ensureImage(`slipway-${mark}/gone:1`, 'Never', [], signal), { reason: 'ErrImageNeverPull' })
  t.match(await images.ensureImage('127.0.0.1:9/gone:1', 'IfNotPresent', [], signal), {
    reason: 'ErrImagePull',
    cause: 'registry',
    message: /127\.0\.0\.1:9/,
    transient: true,
  })
})

t.test('an image that is too much to pull is refused before it has come', async t => {
  const server = await startImageServer()
  t.teardown(() => server.close())
  const parts = busyboxParts({ tag: '', files: { '/mark': `${mark} to pull` } })
  const none = { allowed: null, free: null }
  const ensure = (ref: string, room: Room) => createImages(docker, async () => room).ensureImage(ref, 'Always', [], signal)
  const small = server.put(`slipway-${mark}/small:1`, parts)
  const huge = server.claim(`slipway-${mark}/huge:1`, parts, 2e12)

  t.match(await ensure(huge, { ...none, free: 3 * 2 ** 30 }), {
    reason: 'ErrImagePull',
    cause: 'tooLarge',
    message: /huge:1 is at least 1\.8 TiB to pull, and the node has 3 GiB of disk free/,
    transient: true,
  })
  t.match(await ensure(small, { ...none, allowed: 2 ** 20 }), {
    cause: 'tooLarge',
    message: /small:1 is at least [\d.]+ MiB to pull, and the host policy allows 1 MiB \(maxImageSize\)/,
  })
  t.match(await ensure(small, { allowed: 2 ** 30, free: await freeBytes(docker, null) }), { digest: /^sha256:/ })
  await docker.images.remove(small)
})

t.test('each claim has a volume of its own, and keeps it, whatever names have in common', async t => {
  const made: string[] = []
  t.teardown(async () => {
    for (const name of new Set(made)) await docker.volumes.remove(name).catch(() => undefined)
  })
  const volumeOf = async (namespace: string, claim: string) => {
    const { Name } = await volumeOfClaim(docker, namespace, claim, { 'slipway.test': mark }, signal)
    made.push(Name)
    return Name
  }
  const first = await volumeOf(mark, 'web-data')
  const second = await volumeOf(`${mark}-web`, 'data')

  t.equal(first, `slipway-${mark}-web-data`)
  t.not(second, first)
  t.equal(await volumeOf(mark, 'web-data'), first)
  await docker.volumes.remove(first)
  t.equal(await volumeOf(`${mark}-web`, 'data'), second, 'though the other name is free by now')
  await docker.volumes.create(`slipway-${mark}-by-hand`, {})
  t.equal(await volumeOf(mark, 'by-hand'), `slipway-${mark}-by-hand`)
})

t.test('where images lie, as far as it can be known', async t => {
  const root = { NCPU: 1, MemTotal: 1, DockerRootDir: '/data/docker' }
  const containerd = { DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']] }
  const overlay2 = { DriverStatus: [['Backing Filesystem', 'extfs']] }
  const table: readonly [string, Parameters<typeof imageDirectory>, string | null][] = [
    ['a graph driver of its own', ['unix:///run/docker.sock', { ...root, ...overlay2 }, null], '/data/docker'],
    [
      'Podman, which says nothing of its driver',
      ['unix:///run/podman.sock', { ...root, DriverStatus: null }, null],
      '/data/docker',
    ],
    [
      "containerd's images, which lie where containerd has them",
      ['unix:///run/docker.sock', { ...root, ...containerd }, null],
      null,
    ],
    [
      'the same, and the host policy says where',
      ['unix:///run/docker.sock', { ...root, ...containerd }, '/data/images'],
      '/data/images',
    ],
    ["another machine's, whose paths mean nothing here", ['tcp://10.0.0.5:2375', root, null], null],
    ['an engine that does not say', ['unix:///run/docker.sock', { NCPU: 1, MemTotal: 1, DockerRootDir: '' }, null], null],
  ]
  for (const [what, asked, expected] of table) t.equal(imageDirectory(...asked), expected, what)
  t.ok((await freeBytes(docker, tmpdir()))! > 0)
  t.equal(await freeBytes(docker, '/nonexistent'), null)
})

const registryCommand = ['docker-registry', 'registry'].find(name => spawnSync('which', [name]).status === 0)
const canPush = registryCommand !== undefined && spawnSync('which', ['skopeo']).status === 0

t.test(
  'images of a registry that wants a password',
  { skip: canPush ? false : 'no docker-registry and skopeo here' },
  async t => {
    const dir = mkdtempSync(join(tmpdir(), 'slipway-registry-'))
    t.teardown(() => rmSync(dir, { recursive: true, force: true }))
    const port = await freePort()
    // bcrypt of `open-sesame-77`
    writeFileSync(join(dir, 'htpasswd'), 'me:$2b$05$VMYL92MqFlZMKSA.RjLQueEy/jhfejhK8ZBaZ4C8BLGp6wptI.qpe\n')
    writeFileSync(
      join(dir, 'config.yml'),
      JSON.stringify({
        version: '0.1',
        storage: { filesystem: { rootdirectory: `${dir}/data` } },
        http: { addr: `127.0.0.1:${port}` },
        auth: { htpasswd: { realm: 'test', path: `${dir}/htpasswd` } },
      }),
    )
    const registry = spawn(registryCommand!, ['serve', join(dir, 'config.yml')], { stdio: 'ignore' })
    t.teardown(() => registry.kill('SIGKILL'))
    while (
      !(await fetch(`http://127.0.0.1:${port}/v2/`).then(
        () => true,
        () => false,
      ))
    )
      await new Promise(resolve => setTimeout(resolve, 50))
    const ref = `127.0.0.1:${port}/slipway-${mark}/web:1`
    writeFileSync(join(dir, 'image.tar'), busyboxArchive({ tag: `slipway-${mark}/web:1` }).archive)
    const pushed = spawnSync(
      'skopeo',
      [
        '--insecure-policy',
        'copy',
        '--dest-tls-verify=false',
        '--dest-creds=me:open-sesame-77',
        `docker-archive:${dir}/image.tar`,
        `docker://${ref}`,
      ],
      { encoding: 'utf8' },
    )
    t.equal(pushed.status, 0, pushed.stderr)
    const images = createImages(docker)
    const config = (password: string): string =>
      JSON.stringify({ auths: { [`127.0.0.1:${port}`]: { username: 'me', password } } })

    t.match(await images.ensureImage(ref, 'IfNotPresent', [], signal), { reason: 'ErrImagePull', cause: 'unauthorized' })
    const wrong = await images.ensureImage(ref, 'IfNotPresent', [config('wrong-secret-99')], signal)
    t.match(wrong, { reason: 'ErrImagePull', cause: 'unauthorized' })
    t.notMatch(JSON.stringify(wrong), /wrong-secret-99/)
    const pulled = await images.ensureImage(ref, 'IfNotPresent', [config('open-sesame-77')], signal)
    t.match(pulled, { digest: /^sha256:[0-9a-f]{64}$/ })
    const { digest, id } = pulled as { digest: string; id: string }
    t.not(digest, id, 'known by what the registry calls it')
    await docker.images.remove(ref)
    t.match(
      await images.ensureImage(ref, 'IfNotPresent', [config('open-sesame-77')], signal, { pinned: digest }),
      { id, digest },
      'pulled again by digest',
    )
    t.match(await images.ensureImage(`127.0.0.1:${port}/slipway-${mark}/web:2`, 'Always', [config('open-sesame-77')], signal), {
      cause: 'notFound',
    })
    await docker.images.remove(`127.0.0.1:${port}/slipway-${mark}/web@${digest}`)
  },
)

function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    error => error,
  )
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

t.test('only errors of the engine are taken for errors of the engine', async t => {
  t.equal(isEngineError(new Error('x')), false)
})
