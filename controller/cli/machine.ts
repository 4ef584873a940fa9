// One machine's parts and processes: found, joined, started, ended. What `up`, `down` and `check` share; it speaks to no API but to hear that it answers.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openControllerKeys } from '../../runtime/contract/keys.js'
import { authorizationBlock } from '../../runtime/contract/subjects.js'
import { connectDocker } from '../../runtime/docker/client.js'
import { type Engine, endPrivateEngine, engineDirectory, findEngine } from '../../runtime/docker/engine.js'
import { ensureHaproxyImage, haproxyImage, haproxyImageVersion, hasHaproxyImage } from '../../runtime/docker/haproxy.js'
import { natsImage, programFromImage } from '../../runtime/docker/program.js'
import { joinController } from '../../runtime/join.js'
import { findNats, type NatsProgram, natsCommand, writeNatsConfiguration } from '../../runtime/nats/server.js'
import { type FoundProgram, findHaproxy } from '../../runtime/network/find-haproxy.js'
import { firewallWarnings, readFirewall } from '../../runtime/network/firewall.js'
import { defaultNames } from '../../runtime/network/types.js'
import { copyBeside, readKept } from '../../runtime/whole-file.js'
import { defaultNodeName, defaultPort, defaultStateDir } from '../config.js'
import { end, keep, type Layout, layoutOf, pidOf } from './processes.js'
import { type Program, programOf } from './programs.js'
import { controllerFlags, hasClusters } from './tuning.js'

const pullMs = 60_000

export type Environment = Readonly<Record<string, string | undefined>>

export interface Parts {
  readonly engine: Engine
  readonly nats: NatsProgram
  readonly haproxy: FoundProgram
}

/** What `up` wrote down, so that `down` and the next `up` know it. */
export interface Machine {
  readonly node: string
  readonly port: number
  readonly natsPort: number
  readonly engine: string
  readonly engineIsPrivate: boolean
  readonly network: Readonly<Record<string, string>>
}

export interface Places {
  readonly layout: Layout
  readonly program: (path: string) => string
  /** The file that controller or runtime is started from. */
  readonly started: (name: Program) => string
  /** The shell script that starts a process again. */
  readonly keeper: string
  readonly isRoot: boolean
}

export function placesOf(env: Environment): Places {
  const isRoot = process.getuid?.() === 0
  const build = fileURLToPath(new URL('../..', import.meta.url))
  const keeper = join(build, '../runtime/keep.sh')
  const [program, started] = [(path: string) => join(build, path), (name: Program) => programOf(build, name)]
  return { layout: layoutOf(defaultStateDir(env, isRoot)), program, started, keeper, isRoot }
}

/** Everything that a machine needs, or an error that says what is missing and how to get it. `before`: what the last `up` wrote down. */
export async function findParts(env: Environment, before: Machine | null, say: (line: string) => void): Promise<Parts> {
  const known = before === null ? {} : { before: { host: before.engine, private: before.engineIsPrivate } }
  const engine = await findEngine(env, { say, ...known })
  const nats = await findNats(env, { say, fromImage: target => natsFromImage(engine.host, target, say) })
  return { nats, engine, haproxy: (await findHaproxy(env)) ?? (await haproxyOfImage(engine.host, say)) }
}

/** The official image's program, where a registry answers in time; false where none does. */
export async function natsFromImage(host: string, target: string, say: (line: string) => void): Promise<boolean> {
  const docker = connectDocker(host)
  try {
    say(`taking nats-server out of ${natsImage.image}`)
    await programFromImage(docker, natsImage, target, AbortSignal.timeout(pullMs))
    return true
  } catch (error) {
    say(`no registry gives ${natsImage.image}: ${(error as Error).message}`)
    return false
  } finally {
    await docker.close()
  }
}

/** Where the machine has none: the official image, pulled where it is missing. `path` is '' then. */
async function haproxyOfImage(host: string, say: (line: string) => void): Promise<FoundProgram> {
  const docker = connectDocker(host)
  try {
    if (!(await hasHaproxyImage(docker))) say(`haproxy is not installed: pulling ${haproxyImage}`)
    await ensureHaproxyImage(docker, AbortSignal.timeout(pullMs))
    return { path: '', version: await haproxyImageVersion(docker) }
  } finally {
    await docker.close()
  }
}

/** What the firewall would keep this instance's containers from, a sentence each. */
export async function firewallOf(
  network: Readonly<Record<string, string>>,
  env: Environment,
  engine: Engine,
): Promise<readonly string[]> {
  const bridge = network.SLIPWAY_POD_BRIDGE ?? defaultNames.podBridge
  const range = network.SLIPWAY_POD_RANGE ?? defaultNames.podRange
  return firewallWarnings(await readFirewall(env), { bridge, range, isPodman: engine.isPodman })
}

/** What the last `up` chose; else a port each, and address ranges made from the state directory, so that several instances do not meet. */
export function machineOf(
  layout: Layout,
  env: Environment,
  taken: readonly string[] = localAddresses(),
): Omit<Machine, 'engine' | 'engineIsPrivate'> {
  const before = readMachine(layout)
  const port = env.SLIPWAY_PORT !== undefined ? Number(env.SLIPWAY_PORT) : (before?.port ?? defaultPort)
  return {
    node: env.SLIPWAY_NODE ?? before?.node ?? defaultNodeName(),
    port,
    natsPort: env.SLIPWAY_NATS_PORT !== undefined ? Number(env.SLIPWAY_NATS_PORT) : (before?.natsPort ?? 0),
    network: before?.network ?? networkOf(layout, env, taken),
  }
}

function localAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap(all => all?.map(({ address }) => address) ?? [])
}

/** The usual state directory has the documented names and ranges; any other gets its own: the first from its hash that is not `taken`. */
function networkOf(layout: Layout, env: Environment, taken: readonly string[]): Readonly<Record<string, string>> {
  const named = [
    'SLIPWAY_POD_NETWORK',
    'SLIPWAY_POD_BRIDGE',
    'SLIPWAY_SERVICE_BRIDGE',
    'SLIPWAY_POD_RANGE',
    'SLIPWAY_SERVICE_RANGE',
  ]
  const given = Object.fromEntries(named.flatMap(name => (env[name] === undefined ? [] : [[name, env[name] ?? '']])))
  if (layout.state === defaultStateDir({}, true) || Object.keys(given).length === named.length) return given
  const tag = tagOf(layout.state)
  const block = freeBlock(createHash('sha256').update(layout.state).digest()[4] ?? 0, taken)
  return {
    SLIPWAY_POD_NETWORK: `slipway-${tag}`,
    SLIPWAY_POD_BRIDGE: `slwp${tag}`,
    SLIPWAY_SERVICE_BRIDGE: `slws${tag}`,
    SLIPWAY_POD_RANGE: `10.${block}.0.0/16`,
    SLIPWAY_SERVICE_RANGE: `10.${block + 1}.0.0/16`,
    ...given,
  }
}

/** Tells instances of a machine apart in names that must be short. */
export function tagOf(state: string): string {
  return createHash('sha256').update(state).digest('hex').slice(0, 6)
}

const blocks = 90

/** Two neighbours of 10.20.0.0/16 to 10.199.0.0/16 in which this machine has no address. */
function freeBlock(from: number, taken: readonly string[]): number {
  const all = Array.from({ length: blocks }, (_, at) => 20 + ((from + at) % blocks) * 2)
  const free = all.find(
    block => !taken.some(address => address.startsWith(`10.${block}.`) || address.startsWith(`10.${block + 1}.`)),
  )
  if (free !== undefined) return free
  throw new Error(
    'no pair of address ranges in 10.20.0.0/16 to 10.199.0.0/16 is free here: name two in SLIPWAY_POD_RANGE and SLIPWAY_SERVICE_RANGE',
  )
}

/** `warn`: it was broken, and its copy is used. Throws where that cannot be read either. */
export function readMachine(layout: Layout, warn: (fault: string) => void = () => {}): Machine | null {
  const file = join(layout.run, 'up.json')
  const { value, fault } = readKept(file, false, content => {
    const machine = JSON.parse(content.toString('utf8')) as Machine | null
    if (typeof machine?.node !== 'string' || typeof machine.natsPort !== 'number')
      throw new Error('it is not what slipway up writes')
    return machine
  })
  if (fault !== '' && value === null)
    throw new Error(
      `${fault}, and nobody else knows this machine's ports and address ranges: restore it from a backup of the disk`,
    )
  if (fault !== '') warn(fault)
  return value
}

export function writeMachine(layout: Layout, machine: Machine): void {
  const file = join(layout.run, 'up.json')
  const text = `${JSON.stringify(machine, null, 2)}\n`
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  copyBeside(file, Buffer.from(text))
}

/** Keys of controller and node, each told who the other is. Keys that are there stay. */
export async function joinMachine(
  layout: Layout,
  machine: Machine,
): Promise<{ readonly authorization: string; readonly faults: readonly string[] }> {
  const controller = await openControllerKeys(join(layout.keys, 'controller'))
  const { identity, faults } = await joinController(layout.runtime, {
    node: machine.node,
    servers: [`nats://127.0.0.1:${machine.natsPort}`],
    controller: controller.identity,
  })
  const file = join(layout.state, 'nodes', `${machine.node}.json`)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const text = `${JSON.stringify(identity)}\n`
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  copyBeside(file, Buffer.from(text))
  return { authorization: authorizationBlock(controller.nats.public, [identity]), faults: [...controller.faults, ...faults] }
}

/** NATS, the runtime, the controller: each kept alive by a small shell of its own, each with a log under the state directory. */
export async function startProcesses(
  places: Places,
  machine: Machine,
  parts: Parts,
  env: Environment,
  warn: (fault: string) => void,
): Promise<readonly string[]> {
  const { layout, keeper } = places
  const { authorization, faults } = await joinMachine(layout, machine)
  faults.forEach(warn)
  const natsChanged = await writeNatsConfiguration(parts.nats, { directory: layout.nats, port: machine.natsPort, authorization })
  if (natsChanged && pidOf(layout, 'nats') > 0) process.kill(pidOf(layout, 'nats'), 'SIGHUP')
  const [nats = '', ...natsArgs] = natsCommand(parts.nats, layout.nats)
  const base = {
    PATH: env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: env.HOME ?? '/',
    SLIPWAY_HOME: layout.state,
    SLIPWAY_NODE: machine.node,
    // glibc: memory that is freed goes back at once instead of being kept for the next busy minute. V8's parser and compiler take theirs
    // in pieces of up to 32 kB: unmapped one by one, while between smaller ones they stayed (30 MB in the controller).
    MALLOC_ARENA_MAX: '1',
    MALLOC_TRIM_THRESHOLD_: '65536',
    MALLOC_MMAP_THRESHOLD_: '32768',
  }
  const own = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (name.startsWith('SLIPWAY_') && value !== undefined ? [[name, value]] : [])),
  )
  const natsURL = `nats://127.0.0.1:${machine.natsPort}`
  const node = (name: Program, heapMB: number, flags: readonly string[] = []) => ({
    command: process.execPath,
    args: [
      '--max-semi-space-size=1',
      '--optimize-for-size',
      '--expose-gc',
      `--max-old-space-size=${heapMB}`,
      ...flags,
      places.started(name),
    ],
  })
  const started = [
    { name: 'nats', command: nats, args: natsArgs, env: { PATH: base.PATH, GOGC: '10' } },
    {
      name: 'runtime',
      // It waits for others most of the time: V8's compilers and what they make cost 9 MB, and save it nothing measurable.
      ...node('runtime', 192, ['--no-opt', '--no-maglev', '--no-sparkplug']),
      env: {
        ...own,
        ...base,
        ...machine.network,
        DOCKER_HOST: machine.engine,
        SLIPWAY_HAPROXY: parts.haproxy.path,
        SLIPWAY_NATS_URL: natsURL,
      },
    },
    {
      name: 'controller',
      ...node(
        'controller',
        512,
        controllerFlags(hasClusters(env.SLIPWAY_CONTROLLER_CONFIG ?? join(layout.state, 'config.yaml'))),
      ),
      env: { ...own, ...base, SLIPWAY_NATS_URL: natsURL, SLIPWAY_PORT: String(machine.port) },
    },
  ].filter(kept => keep(layout, keeper, kept) === 'started')
  return started.map(kept => kept.name)
}

export function adminTokenFile(layout: Layout): string {
  return join(layout.keys, 'admin.token')
}

/** Controller, runtime and NATS; what they run goes on. */
export async function endProcesses(layout: Layout): Promise<readonly string[]> {
  const ended: string[] = []
  for (const name of ['controller', 'runtime', 'nats']) if (await end(layout, name, 12_000)) ended.push(name)
  return ended
}

export interface Purged {
  readonly lines: readonly string[]
  /** What runs could not be taken away: everything that knows of it was kept, so that it can be tried again. */
  readonly failed: boolean
}

/**
 * Containers, data plane, addresses, a private engine that nobody else uses, and the state directory. Volumes only when `volumes`.
 * `purgeNode` throws where what runs could not be taken away.
 */
export async function purgeMachine(
  places: Places,
  env: Environment,
  volumes: boolean,
  purgeNode: (machine: Machine) => Promise<readonly string[]>,
): Promise<Purged> {
  const { layout } = places
  const machine = readMachine(layout)
  const lines: string[] = []
  try {
    if (machine !== null && existsSync(join(layout.runtime, 'node.json'))) lines.push(...(await purgeNode(machine)))
  } catch (error) {
    const told = `what runs could not be taken away, so ${layout.state} was kept: ${(error as Error).message}`
    return { lines: [told, 'see to it that the engine answers, then: slipway down --purge'], failed: true }
  }
  rmSync(join(engineDirectory(env), 'instances', nameOf(layout.state)), { force: true })
  if (machine?.engineIsPrivate) lines.push(await purgeEngine(machine.engine, engineDirectory(env), layout.state, volumes))
  rmSync(layout.state, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  return { lines: [...lines, `${layout.state} removed`], failed: false }
}

/** Says beside a private engine, if `host` is it, that this instance uses it: who ends it must know of everyone, with containers or without. */
export function useEngine(directory: string, host: string, state: string): void {
  if (host !== `unix://${join(directory, 'docker.sock')}`) return
  const users = join(directory, 'instances')
  mkdirSync(users, { recursive: true, mode: 0o700 })
  writeFileSync(join(users, nameOf(state)), `${state}\n`, { mode: 0o600 })
}

/** State directories of other instances that use it; one whose directory is gone uses nothing. */
export function othersOn(directory: string, state: string): readonly string[] {
  const users = join(directory, 'instances')
  const states = existsSync(users) ? readdirSync(users).map(name => readFileSync(join(users, name), 'utf8').trim()) : []
  return states.filter(other => other !== state && existsSync(join(other, 'run', 'up.json'))).sort()
}

function nameOf(state: string): string {
  return createHash('sha256').update(state).digest('hex').slice(0, 16)
}

/** Another instance on this machine may run on the same private engine. */
async function purgeEngine(host: string, directory: string, state: string, volumes: boolean): Promise<string> {
  const users = othersOn(directory, state)
  if (users.length > 0) return `private engine kept: ${users.join(', ')} ${users.length === 1 ? 'uses' : 'use'} it too`
  const docker = connectDocker(host)
  const others = await docker.containers.list(['slipway.node'], AbortSignal.timeout(10_000)).catch(() => [])
  await docker.close()
  if (others.length > 0) return `private engine kept: ${others.length} containers of another instance are on it`
  const kept = await endPrivateEngine(directory, { volumes })
  if (kept.length === 0) return 'private engine ended and removed'
  return `private engine ended; volumes kept: ${kept.join(', ')} (--volumes removes them)`
}

/** A port that is free now, on loopback. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
