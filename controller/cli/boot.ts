// Starts an instance at boot: a systemd unit whose start is `slipway up` and whose stop is `slipway down`. Where systemd does not run, there is none.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { defaultStateDir } from '../config.js'
import { type Environment, type Machine, tagOf } from './machine.js'

export interface Boot {
  /** Where units of the machine's administrator lie. */
  readonly directory: string
  /** PATH on which `systemctl` is. */
  readonly path: string
  /** There while systemd runs (sd_booted(3)). */
  readonly marker: string
}

export interface Unit {
  readonly state: string
  /** The engine's own unit; '' where it is private or another machine's: `docker.service`. */
  readonly after: string
  /** `/usr/bin/node /opt/slipway/build/controller/cli/main.js`, as words. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** What the unit of an instance says, as the `up` that writes it was started. */
export function unitOf(
  state: string,
  machine: Pick<Machine, 'engine' | 'engineIsPrivate'>,
  env: Environment,
  main: string,
): Unit {
  const kept = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && (name === 'PATH' || name === 'HOME' || (name.startsWith('SLIPWAY_') && !terminals.has(name)))
      ? [[name, value] as const]
      : [],
  )
  return {
    state,
    after: machine.engineIsPrivate ? '' : (units.find(([socket]) => socket.test(machine.engine))?.[1] ?? ''),
    command: [process.execPath, main],
    environment: { ...Object.fromEntries(kept), SLIPWAY_HOME: state },
  }
}

/** Who is signed in at a terminal is no matter of the machine. */
const terminals = new Set(['TOKEN', 'SERVER', 'CONTEXT', 'CONFIG', 'KEPT'].map(name => `SLIPWAY_${name}`))

const units = [
  [/^unix:\/\/(\/var)?\/run\/docker\.sock$/, 'docker.service'],
  [/^unix:\/\/(\/var)?\/run\/podman\/podman\.sock$/, 'podman.socket'],
] as const

export function machineBoot(env: Environment): Boot {
  return { directory: '/etc/systemd/system', path: `${env.PATH ?? ''}:/usr/bin:/bin`, marker: '/run/systemd/system' }
}

/** `slipway.service` for the usual state directory; another has its tag in it, as its networks have. */
export function unitName(state: string): string {
  return state === defaultStateDir({}, true) ? 'slipway.service' : `slipway-${tagOf(state)}.service`
}

/** systemd.unit(5), systemd.service(5), systemd.kill(5). */
export function unitText({ state, after, command, environment }: Unit): string {
  const words = (...more: readonly string[]) => [...command, ...more].map(command => quoted(command, true)).join(' ')
  const lines = [
    '# Written by slipway up --boot; removed by slipway down --purge.',
    '[Unit]',
    `Description=Slipway in ${state.replaceAll('%', '%%')}`,
    `After=${['network-online.target', after].filter(name => name !== '').join(' ')}`,
    'Wants=network-online.target',
    `RequiresMountsFor=${quoted(state)}`,
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    ...Object.entries(environment).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    `ExecStart=${words('up', '--no-login')}`,
    `ExecStop=${words('down')}`,
    '# A stop ends controller, runtime and NATS; containers, load balancer and a private engine go on, as after slipway down.',
    'KillMode=process',
    '# They live in this unit, and have as many processes and files as they need.',
    'TasksMax=infinity',
    'LimitNOFILE=1048576',
    'Restart=on-failure',
    'RestartSec=10',
    'TimeoutStartSec=900',
    'TimeoutStopSec=90',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ]
  return `${lines.join('\n')}\n`
}

/** One word. `%` is systemd's, and in commands `$` too. */
function quoted(word: string, isCommand = false): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', isCommand ? '$$$$' : '$')
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, '\\$&')}"`
}

/** null: it can; else why it cannot, with what to do. */
export function bootProblem(boot: Boot, isRoot: boolean): string | null {
  if (!isRoot) return 'Only root may start something at boot: sudo slipway up --boot'
  if (existsSync(boot.marker)) return null
  return 'systemd does not run here, so there is no unit to start at boot: let what starts services here run  slipway up'
}

/** Written, enabled and started: what runs already goes on, and `systemctl stop` means it from now on. */
export async function installUnit(boot: Boot, name: string, text: string): Promise<void> {
  mkdirSync(boot.directory, { recursive: true })
  writeFileSync(join(boot.directory, name), text, { mode: 0o644 })
  await systemctl(boot, 'daemon-reload')
  await systemctl(boot, 'enable', '--now', name)
}

/** False: there was none. Asked to remove it, systemd runs its stop: what it would end has ended before. */
export async function removeUnit(boot: Boot, name: string): Promise<boolean> {
  const file = join(boot.directory, name)
  if (!existsSync(file)) return false
  if (existsSync(boot.marker)) await systemctl(boot, 'disable', '--now', name)
  rmSync(file)
  if (existsSync(boot.marker)) await systemctl(boot, 'daemon-reload')
  return true
}

async function systemctl({ path }: Boot, ...args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('systemctl', [...args], { env: { PATH: path }, timeout: 120_000 })
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string }
    throw new Error(`systemctl ${args.join(' ')}: ${stderr.trim() || message}`)
  }
}
