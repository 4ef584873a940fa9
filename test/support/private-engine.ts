// A private engine's life, told on standard output as JSON: run in a network namespace of its own, so that its rules and its
// bridge are nobody else's. Arguments: the engine's directory.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectDocker } from '../../runtime/docker/client.js'
import { endPrivateEngine, findEngine, startPrivateEngine } from '../../runtime/docker/engine.js'
import { busyboxArchive } from './archive.js'

const directory = process.argv[2]!
const env = { PATH: process.env.PATH }
const [one, two] = await Promise.all([startPrivateEngine(env, directory), startPrivateEngine(env, directory)])
const docker = connectDocker(one.host)
const { archive } = busyboxArchive({ tag: 'slipway-test/engine:1', entrypoint: ['/bin/busybox', 'sleep', '1000'] })
await docker.images.load(archive)
const { Id } = await docker.containers.create('outlives', { Image: 'slipway-test/engine:1', HostConfig: { NetworkMode: 'none' } })
await docker.containers.start(Id)
const before = (await docker.containers.inspect(Id)).State
await docker.volumes.create('precious', {})
const dockerd = () => Number(readFileSync(join(directory, 'dockerd.pid'), 'utf8'))
const firstPid = dockerd()
process.kill(firstPid, 'SIGKILL')
await sleep(300)
const three = await startPrivateEngine(env, directory)
const after = (await docker.containers.inspect(Id)).State
const found = await findEngine({ ...env, DOCKER_HOST: three.host })
const secondPid = dockerd()
await docker.close()
const kept = await endPrivateEngine(directory, { volumes: false })
const keptAfterwards = await endPrivateEngine(directory, { volumes: true })
console.log(JSON.stringify({ one, two, three, found, firstPid, secondPid, before, after, kept, keptAfterwards }))
