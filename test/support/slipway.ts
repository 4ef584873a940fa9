// One whole Slipway for end-to-end tests: the real command line starts the real processes in a state directory of its own, a real
// Git server holds what applications declare, and whatever `slipway down --purge` leaves behind is looked for.
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../controller/cli/machine.js'
import { type Client, clientFromContext } from '../../examples/demo/client.js'
import { connectDocker, type Docker } from '../../runtime/docker/client.js'
import { testEngine } from './engine.js'
import { type GitServer, startGitServer } from './git-server.js'
import { leftOf, processesOf, type Ran, read, runProgram, signalled, waitUntil } from './machine.js'

const cliPath = join(dirname(fileURLToPath(import.meta.url)), '../../controller/cli/main.js')
export const webhookSecret = 'e2e webhook secret'

/** One container of this instance, as the engine has it. */
export interface RunningContainer {
  readonly id: string
  readonly pod: string
  readonly container: string
  readonly application: string
  readonly image: string
  readonly startedAt: string
  readonly state: string
  readonly exitCode: number
}

export type ProcessName = 'nats' | 'runtime' | 'controller'

export interface Slipway {
  /** The state directory, SLIPWAY_HOME. */
  readonly state: string
  readonly node: string
  readonly docker: Docker
  readonly git: GitServer
  readonly client: Client
  /** Pods may mount it as a hostPath. */
  readonly shared: string
  /** Beside the state directory: gone after the test. */
  readonly work: string
  /** The real command line, with this instance's context. */
  cli(...args: readonly string[]): Promise<Ran>
  /** Containers of the application ('' = of all), oldest first; those that ended too with `all`. */
  containers(application?: string, all?: boolean): Promise<readonly RunningContainer[]>
  pid(name: ProcessName): number
  signal(name: ProcessName, signal: NodeJS.Signals): void
  /** SIGKILL, then waits until its keeper has started another. */
  kill(name: ProcessName): Promise<void>
  /** SIGKILL to them and to their keepers, whose back-off would be waited for; then `slipway up`. */
  crash(...names: readonly ProcessName[]): Promise<void>
  log(name: ProcessName): string
  /** `slipway down --purge --volumes`; gives everything of it that is left on the machine. */
  end(): Promise<readonly string[]>
}

export interface SlipwayOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Of the controller's configuration file. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly accounts?: Parameters<typeof startGitServer>[0]['accounts']
  /** As in DOCKER_HOST; the one that tests share unless said. */
  readonly engine?: string
  /** What its command line begins with, where it runs in another machine's namespaces. */
  readonly within?: () => readonly string[]
}

interface Parts {
  readonly work: string
  readonly state: string
  readonly node: string
  readonly env: Readonly<Record<string, string>>
  readonly docker: Docker
  readonly git: GitServer
}

/** Up in about four seconds; ended with the test, whatever happened. */
export async function startSlipway(t: { teardown(work: () => unknown): void }, options: SlipwayOptions = {}): Promise<Slipway> {
  const parts = await partsOf(options)
  const slipway = instanceOf(parts, options.within ?? (() => []))
  t.teardown(async () => {
    await slipway.end()
    await parts.git.close()
    await parts.docker.close()
    rmSync(parts.work, { recursive: true, force: true })
  })
  const up = await slipway.cli('up')
  if (up.code !== 0) throw new Error(`slipway up ended with ${up.code}: ${up.out}${up.err}`)
  return slipway
}

async function partsOf(options: SlipwayOptions): Promise<Parts> {
  const work = mkdtempSync(join(tmpdir(), 'slipway-e2e-'))
  const state = join(work, 'state')
  const shared = join(work, 'shared')
  mkdirSync(shared, { mode: 0o777 })
  mkdirSync(join(state, 'runtime'), { recursive: true, mode: 0o700 })
  writeFileSync(
    join(state, 'config.yaml'),
    JSON.stringify({ webhooks: { generic: webhookSecret }, pollInterval: '5s', ...options.config }),
  )
  writeFileSync(join(state, 'runtime', 'host-policy.yaml'), JSON.stringify({ hostPaths: [shared] }))
  const engine = options.engine ?? testEngine.host
  const path = process.env.PATH ?? ''
  const node = `e2e-${randomBytes(3).toString('hex')}`
  const env = {
    PATH: path,
    HOME: process.env.HOME ?? work,
    DOCKER_HOST: engine,
    SLIPWAY_HOME: state,
    SLIPWAY_CONFIG: join(work, 'cli.yaml'),
    SLIPWAY_NODE: node,
    SLIPWAY_PORT: String(await freePort()),
    ...options.env,
  }
  const { accounts } = options
  const git = await startGitServer({ root: join(work, 'git'), path, ...(accounts === undefined ? {} : { accounts }) })
  return { work, state, node, env, docker: connectDocker(engine), git }
}

function instanceOf(parts: Parts, within: () => readonly string[]): Slipway {
  const { work, state, node, env, docker, git } = parts
  let client: Client | null = null
  let left: Promise<readonly string[]> | null = null
  const cli = (...args: readonly string[]) => {
    const [program = '', ...rest] = [...within(), process.execPath, cliPath, ...args]
    return runProgram(program, rest, env)
  }
  const pid = (name: ProcessName) => Number(read(join(state, 'run', `${name}.pid`)).trim() || 0)
  return {
    state,
    node,
    docker,
    git,
    work,
    shared: join(work, 'shared'),
    cli,
    get client() {
      client ??= clientFromContext(env.SLIPWAY_CONFIG ?? '')
      return client
    },
    containers: (application = '', all = false) => containersOf(docker, node, application, all),
    pid,
    signal: (name, signal) => void process.kill(pid(name), signal),
    async kill(name) {
      const before = pid(name)
      process.kill(before, 'SIGKILL')
      await waitUntil(`another ${name} runs`, 45_000, () => pid(name) !== before && existsSync(`/proc/${pid(name)}`))
    },
    async crash(...names) {
      for (const name of names) {
        signalled(Number(read(join(state, 'run', `${name}.keeper.pid`))), 'SIGKILL')
        signalled(pid(name), 'SIGKILL')
      }
      await waitUntil(`${names.join()} ended`, 10_000, () => names.every(name => !existsSync(`/proc/${pid(name)}/exe`)))
      const up = await cli('up')
      if (up.code !== 0) throw new Error(`slipway up ended with ${up.code}: ${up.out}${up.err}`)
    },
    log: name => read(join(state, 'log', `${name}.log`)),
    end: () => (left ??= ended(parts, cli)),
  }
}

async function ended({ state, node, docker }: Parts, cli: (...args: string[]) => Promise<Ran>): Promise<readonly string[]> {
  const machine = JSON.parse(read(join(state, 'run', 'up.json')) || '{}') as { readonly network?: Record<string, string> }
  const keep = process.env.SLIPWAY_E2E_LOGS
  if (keep) cpSync(join(state, 'log'), join(keep, node), { recursive: true })
  for (const { pid } of processesOf(state)) signalled(pid, 'SIGCONT')
  const down = await cli('down', '--purge', '--volumes')
  const containers = (await containersOf(docker, node, '', true)).map(({ id, pod }) => `container ${id} of pod ${pod}`)
  const left = [...containers, ...(await leftOf(state, docker, machine.network ?? {}))]
  return down.code === 0 ? left : [`slipway down ended with ${down.code}: ${down.err}`, ...left]
}

async function containersOf(
  docker: Docker,
  node: string,
  application: string,
  all: boolean,
): Promise<readonly RunningContainer[]> {
  const wanted = application === '' ? ['slipway.node'] : ['slipway.node', `slipway.application=${application}`]
  const listed = (await docker.containers.list(wanted)).filter(({ Labels }) => Labels?.['slipway.node']?.startsWith(`${node}.`))
  const inspected = await Promise.all(listed.map(({ Id }) => docker.containers.inspect(Id).catch(() => null)))
  return inspected
    .flatMap(one => (one === null || (!all && !one.State.Running) ? [] : [containerOf(one)]))
    .sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1))
}

function containerOf({ Id, Image, Config, State }: Awaited<ReturnType<Docker['containers']['inspect']>>): RunningContainer {
  const label = (name: string) => Config.Labels?.[`slipway.${name}`] ?? ''
  return {
    id: Id,
    pod: label('pod'),
    container: label('container'),
    application: label('application'),
    image: Image,
    startedAt: State.StartedAt,
    state: State.Status,
    exitCode: State.ExitCode,
  }
}

/** What must not change where nothing may be restarted: id and start of every container that runs. */
export async function lives(slipway: Slipway, application: string): Promise<readonly string[]> {
  return (await slipway.containers(application)).map(({ id, pod, startedAt }) => `${pod} ${id.slice(0, 12)} ${startedAt}`)
}
