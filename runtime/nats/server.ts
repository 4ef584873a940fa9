// The nats-server of `slipway up`: found, configured, started so that it outlives us, and ended. Knows nothing of what is said
// over it; who may say what comes as the text of an authorization block.
import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isEnded } from '../proc.js'

export type Environment = Readonly<Record<string, string | undefined>>

export interface NatsProgram {
  readonly path: string
  /** `2.11.3` */
  readonly version: string
  /** Whether what is acknowledged is on the disk: `sync_interval: always`, known from 2.10 on. */
  readonly syncsAlways: boolean
  /** What this version lacks, for people; '' for nothing. */
  readonly warning: string
}

export interface FindNatsOptions {
  /** Puts a nats-server of the official image at a path; false where no registry answers. */
  readonly fromImage?: (target: string) => Promise<boolean>
  /** Build one with Go where it is installed (35 s, once); default true. */
  readonly mayBuild?: boolean
  readonly say?: (line: string) => void
}

const goPackage = 'github.com/nats-io/nats-server/v2@v2.12.12'
const buildMs = 600_000

/**
 * A nats-server of 2.10 or newer on PATH or among what Go built; the official image's; one built with Go, kept in the cache;
 * last an older one on PATH, with a warning. Throws with what to install.
 */
export async function findNats(env: Environment, options: FindNatsOptions = {}): Promise<NatsProgram> {
  const found = await lookAround(env)
  const good = found.find(({ syncsAlways }) => syncsAlways)
  if (good !== undefined) return good
  const made = (await fromImage(env, options)) ?? (await built(env, options))
  const chosen = made ?? found[0]
  if (chosen === undefined) {
    throw new Error(
      'no nats-server on this machine: run npm run setup, put nats-server 2.10 or newer on PATH, or name one that runs with nats.url',
    )
  }
  return chosen
}

/** Where programs built by us, and images' programs, are kept. */
export function programCache(env: Environment): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || '/root', '.cache'), 'slipway/bin')
}

async function lookAround(env: Environment): Promise<readonly NatsProgram[]> {
  const home = env.HOME ?? ''
  const go = env.GOBIN || (env.GOPATH ? join(env.GOPATH, 'bin') : join(home, 'go/bin'))
  const folders = [...(env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/bin', programCache(env), go].filter(folder =>
    folder.startsWith('/'),
  )
  const paths = [...new Set(folders.map(folder => join(folder, 'nats-server')))].filter(path => existsSync(path))
  const programs = await Promise.all(paths.map(programAt))
  return programs.filter(program => program !== null)
}

/** Null where it is no nats-server that runs. */
export async function programAt(path: string): Promise<NatsProgram | null> {
  const said = await run(path, ['--version'], {}, 5_000)
  const [, version = ''] = /v?(\d+\.\d+\.\d+)/.exec(said ?? '') ?? []
  return version === '' ? null : describeNats(path, version)
}

export function describeNats(path: string, version: string): NatsProgram {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const syncsAlways = major > 2 || (major === 2 && minor >= 10)
  const warning = syncsAlways
    ? ''
    : `nats-server ${version} does not sync each write to disk (2.10 and newer do): a power cut can lose the last two minutes of history; nothing that runs is lost`
  return { path, version, syncsAlways, warning }
}

async function fromImage(env: Environment, options: FindNatsOptions): Promise<NatsProgram | null> {
  if (options.fromImage === undefined) return null
  const path = join(programCache(env), 'nats-server')
  await mkdir(programCache(env), { recursive: true })
  const isThere = await options.fromImage(path).catch(() => false)
  return isThere ? programAt(path) : null
}

/** Go's own settings (proxy, checksum database) come from its configuration and the environment. */
async function built(env: Environment, options: FindNatsOptions): Promise<NatsProgram | null> {
  const go = [...(env.PATH ?? '').split(':'), '/usr/local/go/bin']
    .map(folder => join(folder, 'go'))
    .find(path => existsSync(path))
  if (options.mayBuild === false || go === undefined) return null
  options.say?.('building nats-server with Go (once, about 35 s)')
  const cache = programCache(env)
  await mkdir(cache, { recursive: true })
  await run(go, ['install', goPackage], { ...env, GOBIN: cache, CGO_ENABLED: '0' }, buildMs)
  return programAt(join(cache, 'nats-server'))
}

function run(path: string, args: readonly string[], env: Environment, timeout: number): Promise<string | null> {
  return new Promise(resolve => {
    execFile(path, [...args], { env, timeout, maxBuffer: 1 << 20 }, (error, stdout, stderr) =>
      resolve(error === null ? `${stdout}${stderr}` : null),
    )
  })
}

export interface NatsOptions {
  /** Configuration, pid file, log and store lie in it; private to us. */
  readonly directory: string
  readonly port: number
  /** Loopback unless said. */
  readonly host?: string
  /** `authorization { ... }` or `accounts { ... }`, as text; holds no plain password (bcrypt or nkeys). */
  readonly authorization: string
  /** It logs to where it was started, not to a file of its own: whoever started it collects that. */
  readonly logsToStdout?: boolean
}

export interface NatsServer {
  readonly url: string
  readonly pid: number
  readonly configPath: string
  readonly logPath: string
}

const maxPayloadBytes = 1_048_576
const startMs = 15_000

export function natsPaths(directory: string) {
  return {
    config: join(directory, 'nats.conf'),
    pid: join(directory, 'nats.pid'),
    log: join(directory, 'nats.log'),
    store: join(directory, 'store'),
  }
}

export function natsConfiguration(program: Pick<NatsProgram, 'syncsAlways'>, options: NatsOptions): string {
  const paths = natsPaths(options.directory)
  return [
    '# Written by Slipway; changes are lost.',
    'server_name: slipway',
    `listen: ${JSON.stringify(`${options.host ?? '127.0.0.1'}:${options.port}`)}`,
    `pid_file: ${JSON.stringify(paths.pid)}`,
    ...(options.logsToStdout === true ? [] : [`log_file: ${JSON.stringify(paths.log)}`, 'logfile_size_limit: 10MB']),
    `max_payload: ${maxPayloadBytes}`,
    'write_deadline: "10s"',
    'jetstream {',
    `  store_dir: ${JSON.stringify(paths.store)}`,
    '  max_memory_store: 64MB',
    // Acknowledged means on the disk: the default syncs every two minutes only.
    ...(program.syncsAlways ? ['  sync_interval: always'] : []),
    '}',
    options.authorization,
    '',
  ].join('\n')
}

/** Command line of the server, for whoever keeps it running. */
export function natsCommand(program: Pick<NatsProgram, 'path'>, directory: string): readonly string[] {
  return [program.path, '--config', natsPaths(directory).config]
}

/** Gives whether it differs from what lay there. */
export async function writeNatsConfiguration(program: Pick<NatsProgram, 'syncsAlways'>, options: NatsOptions): Promise<boolean> {
  const { config, store } = natsPaths(options.directory)
  await mkdir(store, { recursive: true, mode: 0o700 })
  const text = natsConfiguration(program, options)
  if ((await readFile(config, 'utf8').catch(() => '')) === text) return false
  await writeFile(`${config}.new`, text, { mode: 0o600 })
  await rename(`${config}.new`, config)
  return true
}

/** The one that runs already, told of a changed configuration; else a new one. Throws with the last lines of its log. */
export async function startNats(program: NatsProgram, options: NatsOptions, signal?: AbortSignal): Promise<NatsServer> {
  const changed = await writeNatsConfiguration(program, options)
  const paths = natsPaths(options.directory)
  const host = options.host ?? '127.0.0.1'
  const server = (pid: number): NatsServer => ({
    url: `nats://${host}:${options.port}`,
    pid,
    configPath: paths.config,
    logPath: paths.log,
  })
  const running = runningNats(options.directory)
  if (running !== 0) {
    if (changed) process.kill(running, 'SIGHUP')
    if (await greets(host, options.port, signal)) return server(running)
    await stopNats(options.directory)
  }
  const child = await launch(program, options.directory)
  if (await greets(host, options.port, signal, () => !isEnded(child))) return server(child)
  throw new Error(`nats-server ${program.version} did not start on ${host}:${options.port}: ${await lastWords(paths.log)}`)
}

async function launch(program: NatsProgram, directory: string): Promise<number> {
  const [path = '', ...args] = natsCommand(program, directory)
  const log = await open(natsPaths(directory).log, 'a', 0o600)
  try {
    const child = spawn(path, args, { detached: true, stdio: ['ignore', log.fd, log.fd], env: {}, cwd: '/' })
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    return child.pid ?? 0
  } finally {
    await log.close()
  }
}

/** Pid of the server of this directory; 0 where none runs. Pids are used again, so its command line has to name our file. */
export function runningNats(directory: string): number {
  const { pid: pidFile, config } = natsPaths(directory)
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'))
    return pid > 1 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(config) ? pid : 0
  } catch {
    return 0
  }
}

/** SIGTERM, and SIGKILL after 10 s. Its store stays. */
export async function stopNats(directory: string): Promise<void> {
  const pid = runningNats(directory)
  if (pid === 0) return
  process.kill(pid, 'SIGTERM')
  for (let i = 0; i < 100 && !isEnded(pid); i++) await sleep(100)
  if (!isEnded(pid)) process.kill(pid, 'SIGKILL')
  await rm(natsPaths(directory).pid, { force: true })
}

/** Whether a NATS server says INFO there, within the time that a start may take. */
async function greets(host: string, port: number, signal?: AbortSignal, mayStill: () => boolean = () => true): Promise<boolean> {
  for (const began = Date.now(); Date.now() - began < startMs && mayStill(); ) {
    if (await greetsNow(host, port)) return mayStill()
    await sleep(50, undefined, { ...(signal && { signal }) })
  }
  return false
}

function greetsNow(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: 2_000 })
    const end = (is: boolean) => {
      socket.destroy()
      resolve(is)
    }
    socket.once('data', data => end(data.toString('latin1').startsWith('INFO ')))
    socket
      .once('error', () => end(false))
      .once('timeout', () => end(false))
      .once('close', () => end(false))
  })
}

async function lastWords(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n')
  return lines.slice(-2).join(' ').slice(0, 500) || `it said nothing in ${log}`
}
