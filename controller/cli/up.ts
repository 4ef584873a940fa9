// slipway up: everything on this machine, nothing to configure. Started detached; running it again changes nothing that runs.
import { existsSync, readFileSync } from 'node:fs'
import { alone } from '../../runtime/alone.js'
import { engineDirectory } from '../../runtime/docker/engine.js'
import { haproxyImage } from '../../runtime/docker/haproxy.js'
import { type Boot, bootProblem, installUnit, machineBoot, unitName, unitOf, unitText } from './boot.js'
import { Cli, type Define, type SharedOptions } from './cli.js'
import { saveContext } from './contexts.js'
import { Failure } from './failure.js'
import {
  adminTokenFile,
  type Environment,
  findParts,
  firewallOf,
  freePort,
  type Machine,
  machineOf,
  type Places,
  placesOf,
  readMachine,
  startProcesses,
  useEngine,
  writeMachine,
} from './machine.js'
import { makeLayout } from './processes.js'
import { untilReady } from './ready.js'

interface Options extends SharedOptions {
  readonly port?: string
  readonly node?: string
  readonly boot?: boolean
  readonly login: boolean
}

export const define: Define = (command, around) => {
  command
    .option('--port <port>', 'of the API and the page on this machine (7433; SLIPWAY_PORT)')
    .option('--node <name>', "this machine's name as a destination (its host name; SLIPWAY_NODE)")
    .option('--boot', 'at every boot of this machine as well: writes and enables a systemd unit')
    .option('--no-login', 'make no login link, and leave the command line signed in as it is')
    .action(async (options: Options) => {
      const env = {
        ...around.env,
        ...(options.port === undefined ? {} : { SLIPWAY_PORT: options.port }),
        ...(options.node === undefined ? {} : { SLIPWAY_NODE: options.node }),
      }
      const say = (line: string) => (options.output === undefined ? around.write(`${line}\n`) : around.complain(`${line}\n`))
      const cli = new Cli(around, options)
      const done = (line: string) => say(`  ${cli.paint('green', '✔')} ${line}`)
      const places = placesOf(env)
      const boot = machineBoot(around.env)
      const bootless = options.boot === true ? bootProblem(boot, places.isRoot) : null
      if (bootless !== null) throw new Failure(2, bootless)
      const warn = (fault: string) => say(`  ! ${fault}`)
      const parts = await findParts(env, readMachine(places.layout, warn), line => say(`    ${line}`)).catch((error: Error) => {
        throw new Failure(2, error.message, 'slipway check says what is missing')
      })
      done(
        `engine   ${parts.engine.isPodman ? 'Podman ' : ''}${parts.engine.version} at ${parts.engine.host}${parts.engine.private ? ' (private: ended by slipway down --purge only)' : ''}`,
      )
      for (const note of parts.engine.notes) say(`  ! ${note}`)
      done(`NATS     ${parts.nats.version}`)
      if (parts.nats.warning !== '') say(`  ! ${parts.nats.warning}`)
      done(`HAProxy  ${parts.haproxy.version}${parts.haproxy.path === '' ? ` out of ${haproxyImage}` : ''}`)
      makeLayout(places.layout)
      const waiting = () => say('    another slipway up is at work; waiting for it')
      const release = await alone(`up ${places.layout.state}`, waiting, around.signal)
      const chosen = machineOf(places.layout, env)
      for (const warning of await firewallOf(chosen.network, env, parts.engine)) say(`  ! ${warning}`)
      const machine: Machine = {
        ...chosen,
        natsPort: chosen.natsPort === 0 ? await freePort() : chosen.natsPort,
        engine: parts.engine.host,
        engineIsPrivate: parts.engine.private,
      }
      writeMachine(places.layout, machine)
      useEngine(engineDirectory(env), machine.engine, places.layout.state)
      const started = await startProcesses(places, machine, parts, env, warn).finally(release)
      const url = `http://127.0.0.1:${machine.port}`
      await untilReady(places.layout, url, adminTokenFile(places.layout), say, around.signal).catch((error: Error) => {
        throw new Failure(3, error.message, `logs are in ${places.layout.logs}`)
      })
      done(
        started.length === 0
          ? 'controller, runtime and NATS run already'
          : `started ${started.join(', ')} on node ${machine.node}`,
      )
      if (options.boot === true) done(await atBoot(boot, places, machine, env))
      if (!options.login) {
        await cli.show({ version: 'v1', server: url, node: machine.node, started }, () => `\nSlipway is up at ${url}`)
        return
      }
      const token = tokenOf(adminTokenFile(places.layout))
      saveContext(around.contextFile, { name: 'local', server: url, token })
      const link = await loginLink(url, token)
      await cli.show(
        { version: 'v1', server: url, node: machine.node, loginURL: link, started },
        () =>
          `\nSlipway is up at ${url}\nOpen the page (once, within 10 minutes):  ${link}\nThe command line is signed in (context local in ${around.contextFile}).\n\nNext:  slipway apply -f application.yaml   then   slipway apps\nEnd:   slipway down`,
      )
    })
}

async function atBoot(boot: Boot, { layout, program }: Places, machine: Machine, env: Environment): Promise<string> {
  const name = unitName(layout.state)
  await installUnit(boot, name, unitText(unitOf(layout.state, machine, env, program('controller/cli/main.js'))))
  return `at boot  ${name} (systemctl stop is slipway down; slipway down --purge removes it)`
}

function tokenOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

async function loginLink(url: string, token: string): Promise<string> {
  const answer = await fetch(`${url}/api/v1/login-links`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  })
  if (!answer.ok) throw new Failure(2, `The controller at ${url} gave no login link: ${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { url: string }).url
}
