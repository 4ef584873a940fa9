// slipway check: is everything here that Slipway needs, in which version, and does what was started answer?
import { access, constants } from 'node:fs/promises'
import { findEngine } from '../../runtime/docker/engine.js'
import { findNats } from '../../runtime/nats/server.js'
import { findHaproxy } from '../../runtime/network/find-haproxy.js'
import { Cli, type Define, type SharedOptions } from './cli.js'
import { exitCodes } from './failure.js'
import { placesOf, readMachine } from './machine.js'
import { pidOf } from './processes.js'

interface Found {
  readonly part: string
  readonly ok: boolean
  readonly version: string
  readonly message: string
}

export const define: Define = (command, around) => {
  command.action(async (options: SharedOptions) => {
    const cli = new Cli(around, options)
    const { layout, isRoot } = placesOf(around.env)
    const parts = [
      nodeVersion(),
      await engine(around.env),
      await nats(around.env),
      await haproxy(around.env),
      await tool('git', around.env),
      await tool('ip', around.env),
      rights(isRoot),
    ]
    const machine = readMachine(layout)
    const running = machine === null ? [] : ['nats', 'runtime', 'controller'].map(name => process_(name, pidOf(layout, name)))
    const all = [...parts, ...running]
    await cli.show({ version: 'v1', parts: all }, () =>
      all
        .map(
          found =>
            `  ${found.ok ? cli.paint('green', '✔') : cli.paint('red', '✖')} ${found.part.padEnd(10)} ${[found.version, found.message].filter(text => text !== '').join('  ')}`,
        )
        .join('\n'),
    )
    if (all.some(found => !found.ok)) around.exit(exitCodes.no)
  })
}

function nodeVersion(): Found {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const ok = major > 20 || (major === 20 && minor >= 20)
  return { part: 'Node.js', ok, version: process.versions.node, message: ok ? '' : 'needs 20.20 or newer' }
}

async function engine(env: Readonly<Record<string, string | undefined>>): Promise<Found> {
  try {
    const found = await findEngine(env, { mayStart: false })
    return {
      part: 'engine',
      ok: true,
      version: found.version,
      message: `${found.host}${found.private ? ' (private)' : ''}, API ${found.apiVersion}`,
    }
  } catch (error) {
    return { part: 'engine', ok: false, version: '', message: (error as Error).message }
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

async function haproxy(env: Readonly<Record<string, string | undefined>>): Promise<Found> {
  const found = await findHaproxy(env)
  return found === null
    ? { part: 'HAProxy', ok: false, version: '', message: 'not installed: npm run setup' }
    : { part: 'HAProxy', ok: true, version: found.version, message: found.path }
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
