// Failpoints of a whole instance: its controller and runtime are started anew as programs that can be killed at a named write.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { adminTokenFile, findParts, placesOf, readMachine, startProcesses } from '../../controller/cli/machine.js'
import { end } from '../../controller/cli/processes.js'
import { untilReady } from '../../controller/cli/ready.js'
import { read } from './machine.js'
import type { Slipway } from './slipway.js'

export interface Failpoints {
  /** Names passed since `forget`, in their order. */
  passed(): readonly string[]
  forget(): void
  /** The first process that passes it from now on is killed there, once. */
  arm(name: string): void
  /** Whether somebody was killed since. */
  killed(): boolean
  disarm(): void
}

const here = dirname(fileURLToPath(import.meta.url))
/** The same state directory, ports and keeper as `slipway up` chose; only what runs can fail, and the keeper does not wait. */
export async function withFailpoints(slipway: Slipway): Promise<Failpoints> {
  const directory = join(slipway.work, 'failpoints')
  mkdirSync(directory)
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    SLIPWAY_HOME: slipway.state,
    SLIPWAY_TEST_FAILPOINTS: directory,
    DOCKER_HOST: slipway.docker.host,
  }
  const places = placesOf(env)
  const machine = readMachine(places.layout)
  if (machine === null) throw new Error(`${slipway.state}: slipway up has not been there`)
  for (const name of ['controller', 'runtime']) await end(places.layout, name, 12_000)
  const started = (name: string) => join(here, `failing-${name}.js`)
  const keeper = hastyKeeper(places.keeper, directory)
  await startProcesses({ ...places, started, keeper }, machine, await findParts(env, machine, () => {}), env, () => {})
  await untilReady(places.layout, slipway.client.server, adminTokenFile(places.layout), () => {}, AbortSignal.timeout(120_000))
  return failpointsIn(directory)
}

/** Its waits grow with each kill; here there are many, one after the other. */
function hastyKeeper(path: string, directory: string): string {
  const text = readFileSync(path, 'utf8')
  const hasty = text.replace('sleep "$wait_s"', 'sleep 0.05')
  if (hasty === text) throw new Error(`${path} waits in another way now`)
  const file = join(directory, 'keep.sh')
  writeFileSync(file, hasty)
  return file
}

function failpointsIn(directory: string): Failpoints {
  const at = (name: string) => join(directory, name)
  return {
    passed: () =>
      read(at('passed'))
        .split('\n')
        .filter(name => name !== ''),
    forget: () => writeFileSync(at('passed'), ''),
    arm(name) {
      rmSync(at('killed'), { force: true })
      writeFileSync(at('armed'), name)
    },
    killed: () => read(at('killed')) !== '',
    disarm: () => rmSync(at('armed'), { force: true }),
  }
}
