// The runtime's configuration: what joining left in its state directory, the environment, the host policy. The only reader of any of them.
import { access, constants, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { load } from 'js-yaml'
import type { ControllerIdentity } from './contract/keys.js'
import { type HostPolicy, parseHostPolicy } from './policy.js'
import { Fields, type Issue } from './workloads/fields.js'

type Environment = Readonly<Record<string, string | undefined>>

/** `node.json` in the state directory: what a node is told when it joins. */
export interface Joined {
  readonly node: string
  /** `nats://127.0.0.1:4222`. */
  readonly servers: readonly string[]
  readonly controller: ControllerIdentity
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string }
}

export interface RuntimeConfig extends Joined {
  readonly stateDir: string
  /** As in DOCKER_HOST. */
  readonly engine: string
  /** '' when it is not on this machine's PATH: then it runs out of its image. */
  readonly haproxy: string
  readonly policy: HostPolicy
  /** Faults of the policy file: until they are mended, everything is denied. */
  readonly policyFaults: readonly string[]
  readonly logLevel: string
  /** Names and ranges on the machine, where several instances share it. */
  readonly network: {
    readonly network?: string
    readonly podBridge?: string
    readonly serviceBridge?: string
    readonly podRange?: string
    readonly serviceRange?: string
  }
}

/** Cannot start, and starting again does not help: the process ends with 78 (EX_CONFIG). */
export class ConfigFault extends Error {
  override name = 'ConfigFault'
}

/** `<home>/runtime`, beside the controller's state. */
export function runtimeDir(env: Environment, isRoot: boolean): string {
  if (env.SLIPWAY_RUNTIME_DIR) return env.SLIPWAY_RUNTIME_DIR
  if (env.SLIPWAY_HOME) return join(env.SLIPWAY_HOME, 'runtime')
  return isRoot ? '/var/lib/slipway/runtime' : join(env.XDG_DATA_HOME || join(homedir(), '.local/share'), 'slipway', 'runtime')
}

/** Throws ConfigFault where the node has not joined or a file cannot be understood. */
export async function readConfig(env: Environment, isRoot: boolean): Promise<RuntimeConfig> {
  const stateDir = runtimeDir(env, isRoot)
  const joined = parseJoined(await readJoined(join(stateDir, 'node.json')), join(stateDir, 'node.json'))
  const { policy, faults } = await readPolicy(
    env.SLIPWAY_HOST_POLICY || join(stateDir, 'host-policy.yaml'),
    env.SLIPWAY_HOST_POLICY !== undefined,
  )
  return {
    ...joined,
    servers: env.SLIPWAY_NATS_URL ? [env.SLIPWAY_NATS_URL] : joined.servers,
    stateDir,
    engine: env.DOCKER_HOST || 'unix:///var/run/docker.sock',
    haproxy: env.SLIPWAY_HAPROXY || (await onPath('haproxy', env.PATH ?? '')),
    policy,
    policyFaults: faults,
    logLevel: env.SLIPWAY_LOG_LEVEL || 'info',
    network: networkOf(env),
  }
}

function networkOf(env: Environment): RuntimeConfig['network'] {
  const named = {
    network: env.SLIPWAY_POD_NETWORK,
    podBridge: env.SLIPWAY_POD_BRIDGE,
    serviceBridge: env.SLIPWAY_SERVICE_BRIDGE,
    podRange: env.SLIPWAY_POD_RANGE,
    serviceRange: env.SLIPWAY_SERVICE_RANGE,
  }
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined && value !== ''))
}

async function readJoined(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new ConfigFault(
        `${path} is missing: this node has not joined a controller, and obeys nobody; join it first (slipway up does)`,
      )
    }
    throw new ConfigFault(`${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

/** Throws ConfigFault naming every fault. */
export function parseJoined(value: unknown, path: string): Joined {
  const issues: Issue[] = []
  const fields = new Fields(value, '', issues)
  const controller = fields.object('controller')
  const tls = fields.object('tls')
  const joined: Joined = {
    node: fields.requiredString('node'),
    servers: fields.strings('servers'),
    controller: { signing: controller?.requiredString('signing') ?? '', sealing: controller?.requiredString('sealing') ?? '' },
  }
  if (controller === undefined) fields.invalid('controller', 'is required: its public keys')
  const files =
    tls === undefined
      ? {}
      : Object.fromEntries(['caFile', 'certFile', 'keyFile'].flatMap(name => (tls.has(name) ? [[name, tls.string(name)]] : [])))
  if (issues.length > 0) throw new ConfigFault(`${path}: ${issues.map(issue => `${issue.path} ${issue.message}`).join('; ')}`)
  return tls === undefined ? joined : { ...joined, tls: files }
}

async function readPolicy(
  path: string,
  named: boolean,
): Promise<{ readonly policy: HostPolicy; readonly faults: readonly string[] }> {
  try {
    const { policy, faults } = parseHostPolicy(load(await readFile(path, 'utf8')))
    return { policy, faults: faults.map(fault => `${path}: ${fault}`) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !named) return parseHostPolicy(undefined)
    return { ...parseHostPolicy(undefined), faults: [`${path}: ${(error as Error).message}`] }
  }
}

async function onPath(program: string, path: string): Promise<string> {
  for (const directory of [...path.split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    if (directory !== '' && (await isExecutable(join(directory, program)))) return join(directory, program)
  }
  return ''
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
