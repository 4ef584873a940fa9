// slipway down: ends controller, runtime and NATS; what they run goes on. With --purge also everything that runs, and every trace.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { machineBoot, removeUnit, unitName } from './boot.js'
import { Cli, type Define, type SharedOptions } from './cli.js'
import { exitCodes } from './failure.js'
import { endProcesses, type Machine, type Places, placesOf, purgeMachine } from './machine.js'

interface Options extends SharedOptions {
  readonly purge?: boolean
  readonly volumes?: boolean
}

export const define: Define = (command, around) => {
  command
    .option('--purge', 'also end containers, load balancer and a private engine, and remove the state directory')
    .option('--volumes', 'with --purge: volumes too (their data is lost)')
    .action(async (options: Options) => {
      const cli = new Cli(around, options)
      const places = placesOf(around.env)
      const ended = await endProcesses(places.layout)
      const lines = [ended.length === 0 ? 'nothing was running' : `ended ${ended.join(', ')}`]
      if (options.purge === true) {
        const { lines: purged, failed } = await purgeMachine(places, around.env, options.volumes === true, machine =>
          purgeNode(places, machine, around.env, options.volumes === true),
        )
        lines.push(...purged)
        if (failed) around.exit(exitCodes.usage)
        const unit = unitName(places.layout.state)
        if (!failed && (await removeUnit(machineBoot(around.env), unit))) lines.push(`${unit} removed: nothing starts at boot`)
      } else if (ended.length > 0) lines.push('containers and connections are as they were; slipway up goes on with them')
      await cli.show({ version: 'v1', ended, lines }, () => lines.join('\n'))
    })
}

/** The runtime knows what it started: it takes it away itself. */
async function purgeNode(
  places: Places,
  machine: Machine,
  env: Readonly<Record<string, string | undefined>>,
  volumes: boolean,
): Promise<readonly string[]> {
  const args = [places.program('runtime/main.js'), 'purge', ...(volumes ? ['--volumes'] : [])]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...env, ...machine.network, SLIPWAY_HOME: places.layout.state, DOCKER_HOST: machine.engine },
    })
    return stdout.trim().split('\n')
  } catch (error) {
    throw new Error((error as { stderr?: string }).stderr?.trim() || (error as Error).message)
  }
}
