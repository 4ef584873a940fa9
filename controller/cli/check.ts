// slipway check: is everything here that Slipway needs, in which version, and does what was started answer?
import { access, constants } from 'node:fs/promises'
import { connectDocker, type Docker } from '../../runtime/docker/client.js'
import { type Engine, findEngine } from '../../runtime/docker/engine.js'
import { haproxyImage, hasHaproxyImage } from '../../runtime/docker/haproxy.js'
import { findNats } from '../../runtime/nats/server.js'
import { findHaproxy } from '../../runtime/network/find-haproxy.js'
import { Cli, type Define, type SharedOptions } from './cli.js'
import { exitCodes } from './failure.js'
import { firewallOf, machineOf, placesOf, readMachine } from './machine.js'
import { pidOf } from './processes.js'

interface Found {
  readonly part: string
  readonly ok: boolean
  readonly version: string
  readonly message: string
  /** It works, but not in all. */
  readonly warnings?: readonly string[]
}

export const define: Define = (command, around) => {
  command.action(async (options: SharedOptions) => {
    const cli = new Cli(around, options)
    const { layout, isRoot } = placesOf(around.env)
    const machine = readMachine(layout)
    const before = machine === null ? {} : { before: { host: machine.engine, private: machine.engineIsPrivate } }
    const found = await findEngine(around.env, { mayStart: false, ...before }).catch((error: Error) => error)
    const parts = [
      nodeVersion(),
      engine(found),
      await nats(around.env),
      await haproxy(around.env, found),
      await tool('git', around.env),
      await tool('ip', around.env),
      rights(isRoot),
      ...(await firewall(machineOf(layout, around.env).network, around.env, found)),
    ]
    const running = machine === null ? [] : ['nats', 'runtime', 'controller'].map(name => process_(name, pidOf(layout, name)))
    const all = [...parts, ...running]
    await cli.show({ version: 'v1', parts: all }, () => all.map(found => lineOf(found, cli)).join('\n'))
    if (all.some(found => !found.ok)) around.exit(exitCodes.no)
  })
}

function lineOf(found: Found, cli: Cli): string {
  const { warnings = [] } = found
  const mark = !found.ok ? cli.paint('red', '✖') : warnings.length > 0 ? cli.paint('amber', '!') : cli.paint('green', '✔')
  const text = [found.version, found.message, ...warnings].filter(part => part !== '').join('  ')
  return `  ${mark} ${found.part.padEnd(10)} ${text}`
}

function nodeVersion(): Found {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const ok = major > 20 || (major === 20 && minor >= 20)
  return { part: 'Node.js', ok, version: process.versions.node, message: ok ? '' : 'needs 20.20 or newer' }
}

function engine(found: Engine | Error): Found {
  if (found instanceof Error) return { part: 'engine', ok: false, version: '', message: found.message }
  return {
    part: 'engine',
    ok: true,
    version: `${found.isPodman ? 'Podman ' : ''}${found.version}`,
    message: `${found.host}${found.private ? ' (private)' : ''}, API ${found.apiVersion}`,
    warnings: found.notes,
  }
}

async function nats(env: Readonly<Record<string, string | undefined>>): Promise<Found> {
  try {
    const found = await findNats(env, { mayBuild: false })
    return { part: 'NATS', ok: true, version: found.version, message: found.warning === '' ? found.path : found.warning }
  } catch (error) {
    return { part: 'NATS', ok: false, version: '', message: (error as Error).message }
  }
}

async function haproxy(env: Readonly<Record<string, string | undefined>>, engine: Engine | Error): Promise<Found> {
  const part = 'HAProxy'
  const program = await findHaproxy(env)
  if (program !== null) return { part, ok: true, version: program.version, message: program.path }
  const isHere = !(engine instanceof Error) && (await withDocker(engine, hasHaproxyImage))
  if (isHere) return { part, ok: true, version: '', message: `not installed: it runs out of ${haproxyImage}` }
  const message = `not installed, and ${haproxyImage} is not on the engine: npm run setup, or let slipway up pull it`
  return { part, ok: false, version: '', message }
}

async function withDocker<T>(engine: Engine, ask: (docker: Docker) => Promise<T>): Promise<T> {
  const docker = connectDocker(engine.host)
  try {
    return await ask(docker)
  } finally {
    await docker.close()
  }
}

/** Nothing where there is nothing to warn of, or nothing could be read. */
async function firewall(
  network: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
  engine: Engine | Error,
): Promise<readonly Found[]> {
  if (engine instanceof Error) return []
  const warnings = await firewallOf(network, env, engine)
  return warnings.length === 0 ? [] : [{ part: 'firewall', ok: true, version: '', message: '', warnings }]
}

async function tool(name: string, env: Readonly<Record<string, string | undefined>>): Promise<Found> {
  for (const folder of `${env.PATH ?? ''}:/usr/sbin:/sbin`.split(':')) {
    const isThere = await access(`${folder}/${name}`, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return { part: name, ok: true, version: '', message: `${folder}/${name}` }
  }
  return { part: name, ok: false, version: '', message: 'not installed: npm run setup' }
}

function rights(isRoot: boolean): Found {
  return {
    part: 'rights',
    ok: isRoot,
    version: '',
    message: isRoot ? 'root' : 'the runtime gives out addresses on this machine, for which it needs root: sudo slipway up',
  }
}

function process_(name: string, pid: number): Found {
  return { part: name, ok: pid > 0, version: '', message: pid > 0 ? `runs (pid ${pid})` : 'does not run: slipway up' }
}
