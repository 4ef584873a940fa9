// A Slipway of the benchmark's own, as `slipway up` starts it: default settings, its own state directory, ports and node name.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '../../../controller/cli/machine.js'
import { type Client, clientFromContext } from '../../../examples/demo/client.js'
import { engineOf } from '../../../examples/demo/engine.js'

const cli = join(dirname(fileURLToPath(import.meta.url)), '../../../controller/cli/main.js')
const run = promisify(execFile)

export interface Instance {
  readonly home: string
  readonly client: Client
  /** As in DOCKER_HOST. */
  readonly engine: string
  readonly webhookSecret: string
  /** Ends all of it and removes every trace. */
  readonly purge: () => Promise<void>
}

export const node = 'bench'

/** `config`: of its configuration file, beside the webhook's secret. */
export async function startInstance(webhookSecret: string, config: Readonly<Record<string, unknown>> = {}): Promise<Instance> {
  const home = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
  const env = environment(home)
  const file = { ...config, webhooks: { github: webhookSecret } }
  writeFileSync(join(home, 'config.yaml'), JSON.stringify(file), { mode: 0o600 })
  const slipway = (...args: readonly string[]) => run(process.execPath, [cli, ...args], { env, timeout: 300_000 })
  const purge = async () => void (await slipway('down', '--purge', '--volumes'))
  try {
    await slipway('up', '--port', String(await freePort()), '--node', node)
    return { home, client: clientFromContext(join(home, 'cli.yaml')), engine: engineOf(home), webhookSecret, purge }
  } catch (error) {
    await purge()
    throw error
  }
}

/** Ours, with none of the settings that a user may have made. */
function environment(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('SLIPWAY_'))
  return { ...Object.fromEntries(kept), SLIPWAY_HOME: home, SLIPWAY_CONFIG: join(home, 'cli.yaml') }
}

/** What `slipway up` wrote down of a process; 0 where it does not run. */
export function pidOf(home: string, name: string): number {
  try {
    return Number(readFileSync(join(home, 'run', `${name}.pid`), 'utf8'))
  } catch {
    return 0
  }
}
