// Which container engine this machine has: the one that is named, the usual sockets, or a private dockerd of our own that
// outlives us. Knows how to ask an engine for its version and how to start and end the private one; nothing of containers.
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectDocker, isPodman } from './client.js'
import type { EngineInfo, EngineVersion } from './shapes.js'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Engine {
  /** As in DOCKER_HOST: `unix:///var/run/docker.sock`. */
  readonly host: string
  /** Ours: started by us, ended by endPrivateEngine only. */
  readonly private: boolean
  readonly version: string
  readonly apiVersion: string
  readonly isPodman: boolean
  /** What does not work on this engine, a sentence each. */
  readonly notes: readonly string[]
}

export interface FindOptions {
  /** Of the private engine; default SLIPWAY_ENGINE_DIR or /var/lib/slipway-engine. */
  readonly directory?: string
  /** False only looks; default true. */
  readonly mayStart?: boolean
  readonly isRoot?: boolean
  readonly signal?: AbortSignal
  /** What an instance runs on already: no other is taken for it, as its containers would be started there a second time. */
  readonly before?: Pick<Engine, 'host' | 'private'>
  /** One line for people when a private engine is started. */
  readonly say?: (line: string) => void
}

const defaultDirectory = '/var/lib/slipway-engine'
/** Podman asks its packages for their versions each time: seconds on a busy machine. */
const answerMs = 10_000
const startMs = 60_000

/**
 * DOCKER_HOST; else the one of before; else the first usual Docker or Podman socket that answers; else the private engine, started where dockerd is
 * installed and we are root. Throws with what was looked at and what to install.
 */
export async function findEngine(env: Environment, options: FindOptions = {}): Promise<Engine> {
  const named = env.DOCKER_HOST
  if (named !== undefined && named !== '') {
    const engine = await ask(named, false)
    if (engine === null)
      throw new Error(`DOCKER_HOST names ${named}, where no container engine answers: start it, or unset DOCKER_HOST`)
    return engine
  }
  if (options.before !== undefined) return sameAgain(env, options.before, options)
  const directory = engineDirectory(env, options)
  const own = `unix://${join(directory, 'docker.sock')}`
  for (const host of [...usualHosts(env), own]) {
    const engine = await ask(host, host === own)
    if (engine !== null) return engine
  }
  return startWhereAllowed(env, directory, options)
}

export function engineDirectory(env: Environment, options: Pick<FindOptions, 'directory'> = {}): string {
  return options.directory ?? (env.SLIPWAY_ENGINE_DIR || defaultDirectory)
}

/** Docker's before Podman's, the machine's before the user's. */
export function usualHosts(env: Environment): readonly string[] {
  const home = env.HOME ?? ''
  const run = env.XDG_RUNTIME_DIR ?? ''
  const sockets = [
    '/var/run/docker.sock',
    home && join(home, '.docker/run/docker.sock'),
    run && join(run, 'docker.sock'),
    '/run/podman/podman.sock',
    run && join(run, 'podman/podman.sock'),
  ]
  return sockets.filter(socket => socket !== '').map(socket => `unix://${socket}`)
}

/** Null where nothing answers within 10 s. */
async function ask(host: string, isPrivate: boolean): Promise<Engine | null> {
  if (host.startsWith('unix://') && !existsSync(host.slice('unix://'.length))) return null
  const docker = connectDocker(host)
  try {
    const limit = AbortSignal.timeout(answerMs)
    const version = await docker.version(limit)
    const info = await docker.info(limit).catch(() => null)
    return {
      host,
      private: isPrivate,
      version: version.Version,
      apiVersion: version.ApiVersion,
      isPodman: isPodman(version),
      notes: info === null ? [] : engineNotes(version, info),
    }
  } catch {
    return null
  } finally {
    await docker.close()
  }
}

/** Seen with Docker 20.10 and Podman 4.3. */
export function engineNotes(version: EngineVersion, info: EngineInfo): readonly string[] {
  const name = isPodman(version) ? 'Podman' : 'Docker'
  const rootless = info.SecurityOptions?.some(option => option.startsWith('name=rootless'))
  return [
    ...(rootless
      ? [
          `${name} runs without root here: the addresses of its containers cannot be reached from this machine, and no Service works; use one that runs as root`,
        ]
      : []),
    ...(isPodman(version) && info.CgroupVersion === '1'
      ? [
          'Podman does not say on cgroups v1 that a container was killed for its memory: it is shown as ended with exit code 137, not as OOMKilled',
        ]
      : []),
  ]
}

async function sameAgain(env: Environment, before: Pick<Engine, 'host' | 'private'>, options: FindOptions): Promise<Engine> {
  const engine = await ask(before.host, before.private)
  if (engine !== null) return engine
  if (before.private) return startWhereAllowed(env, dirname(before.host.slice('unix://'.length)), options)
  throw new Error(
    `the container engine at ${before.host}, on which this instance runs, does not answer: start it; or, to begin anew on another, end this instance with slipway down --purge or name that one in DOCKER_HOST`,
  )
}

async function startWhereAllowed(env: Environment, directory: string, options: FindOptions): Promise<Engine> {
  const dockerd = programOnPath('dockerd', env)
  const isRoot = options.isRoot ?? process.getuid?.() === 0
  if (options.mayStart === false || dockerd === null || !isRoot) {
    const why = dockerd === null ? 'dockerd is not installed' : isRoot ? '' : 'dockerd may be started by root only'
    const looked = usualHosts(env).join(', ')
    throw new Error(
      `no container engine answers (looked at ${looked})${why && `; ${why}`}: run npm run setup, start Docker or Podman, or set DOCKER_HOST`,
    )
  }
  return startPrivateEngine(env, directory, options)
}

/** Reused where it runs. overlay2, or vfs where the disk under the directory cannot do it; what worked once is kept. */
export async function startPrivateEngine(env: Environment, directory: string, options: FindOptions = {}): Promise<Engine> {
  const dockerd = programOnPath('dockerd', env) ?? 'dockerd'
  await mkdir(directory, { recursive: true, mode: 0o711 })
  const chosen = join(directory, 'storage-driver')
  const known = await readFile(chosen, 'utf8').catch(() => '')
  const drivers = known.trim() === '' ? ['overlay2', 'vfs'] : [known.trim()]
  // Without a file of its own it would read /etc/docker/daemon.json, which is another engine's.
  await writeFile(join(directory, 'daemon.json'), '{}\n')
  options.say?.(`starting a private container engine in ${directory}`)
  await dropStale(join(directory, 'dockerd.pid'), 'dockerd')
  await dropStale(join(directory, 'exec/containerd/containerd.pid'), 'containerd')
  let failure = ''
  for (const driver of drivers) {
    const started = await launch(dockerd, directory, driver, env, options.signal)
    if (typeof started !== 'string') {
      await writeFile(chosen, `${driver}\n`)
      return started
    }
    failure = started
    if (!/driver|overlay|graphdriver/i.test(failure)) break
  }
  throw new Error(
    `a private container engine in ${directory} did not start: ${failure}; its log is ${join(directory, 'dockerd.log')}`,
  )
}

/** A pid file whose process is gone, is another program's, or is a zombie that nobody reaps: dockerd takes all these for running. */
async function dropStale(pidFile: string, program: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => '0'))
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (!line.includes(program)) await rm(pidFile, { force: true })
}

/** The engine, or the last lines of its log. Two that start at once: dockerd's pid file lets one in, both find it. */
async function launch(
  dockerd: string,
  directory: string,
  driver: string,
  env: Environment,
  signal?: AbortSignal,
): Promise<Engine | string> {
  const logPath = join(directory, 'dockerd.log')
  const log = await open(logPath, 'a', 0o600)
  const { size } = await log.stat()
  const child = spawn(dockerd, dockerdArgs(directory, driver), {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: { PATH: searchPath(env), HOME: '/root' },
  })
  let ended = false
  child.once('exit', () => {
    ended = true
  })
  child.once('error', () => {
    ended = true
  })
  child.unref()
  await log.close()
  const host = `unix://${join(directory, 'docker.sock')}`
  for (const began = Date.now(); Date.now() - began < startMs; ) {
    const wasEnded = ended
    const engine = await ask(host, true)
    if (engine !== null) return engine
    if (wasEnded && Date.now() - began > 5_000) break
    await sleep(100, undefined, { ...(signal && { signal }) })
  }
  const said = (await readFile(logPath, 'utf8')).slice(size).trim().split('\n')
  return said.slice(-3).join(' ').slice(0, 1_000) || 'it does not answer'
}

function dockerdArgs(directory: string, driver: string): readonly string[] {
  return [
    '--data-root', join(directory, 'data'),
    '--exec-root', join(directory, 'exec'),
    '--pidfile', join(directory, 'dockerd.pid'),
    '--host', `unix://${join(directory, 'docker.sock')}`,
    '--config-file', join(directory, 'daemon.json'),
    '--storage-driver', driver,
    '--live-restore',
  ] // biome-ignore format: pairs
}

/**
 * Ends the private engine with everything that runs in it. Its images and, with `volumes`, its volumes go too; without, they
 * keep the data root as long as there are any. Gives the names of the volumes that were kept.
 */
export async function endPrivateEngine(directory: string, options: { readonly volumes: boolean }): Promise<readonly string[]> {
  const host = `unix://${join(directory, 'docker.sock')}`
  const kept = (await ask(host, true)) === null ? [] : await emptied(host, options.volumes)
  await endProcess(Number(await readFile(join(directory, 'dockerd.pid'), 'utf8').catch(() => '0')))
  await unmountBelow(directory)
  const parts = ['exec', 'docker.sock', 'dockerd.pid', 'dockerd.log', 'daemon.json']
  if (kept.length > 0) await removeAll(directory, parts)
  else await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
  return kept
}

/** What a container or dockerd left mounted there would keep the directory from being removed: deepest first. */
async function unmountBelow(directory: string): Promise<void> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
  const points = lines
    .map(line => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
    .filter(point => point.startsWith(`${directory}/`))
  for (const point of points.sort((a, b) => b.length - a.length)) {
    await new Promise<void>(resolve =>
      execFile('umount', ['--lazy', '--', point], { env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' } }, () => resolve()),
    )
  }
}

async function removeAll(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(directory, name), { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
}

async function emptied(host: string, volumes: boolean): Promise<readonly string[]> {
  const docker = connectDocker(host)
  try {
    for (const { Id } of await docker.containers.list([])) await docker.containers.remove(Id)
    const names = (await docker.volumes.list([])).map(({ Name }) => Name)
    return volumes ? [] : names
  } finally {
    await docker.close()
  }
}

async function endProcess(pid: number): Promise<void> {
  if (!(pid > 1) || !signalled(pid, 'SIGTERM')) return
  for (let i = 0; i < 150 && signalled(pid, 0); i++) await sleep(100)
  signalled(pid, 'SIGKILL')
}

function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

function searchPath(env: Environment): string {
  return `${env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`
}

function programOnPath(name: string, env: Environment): string | null {
  const folders = searchPath(env)
    .split(':')
    .filter(folder => folder.startsWith('/'))
  return folders.map(folder => join(folder, name)).find(path => existsSync(path)) ?? null
}
