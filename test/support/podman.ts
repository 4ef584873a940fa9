// A Podman service of its own for a test file, in a directory of its own: nothing of the machine's Podman is read or touched.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectDocker } from '../../runtime/docker/client.js'
import { findProcesses, sendSignal } from '../../runtime/network/detached.js'

export interface Podman {
  /** As in DOCKER_HOST. */
  readonly host: string
  /** Ends its containers, the service, and removes the directory. */
  end(): Promise<void>
}

/** The service, answering; or why there can be none here. Throws, with its last words, where it does not answer within 30 s. */
export async function startPodman(): Promise<Podman | string> {
  if (process.getuid?.() !== 0) return 'Podman is tried as root only'
  const version = versionOf('podman')
  if (version === '') return 'podman is not on the PATH: apt-get install podman (nothing of Podman was tried)'
  const directory = mkdtempSync(join(tmpdir(), 'slipway-podman-'))
  const host = `unix://${directory}/podman.sock`
  const settings = join(directory, 'containers.conf')
  mkdirSync(join(directory, 'networks'))
  writeFileSync(settings, settingsText(directory))
  const places = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver', 'vfs']
  const service = spawn('podman', [...places, 'system', 'service', '--time=0', host], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: directory, CONTAINERS_CONF: settings },
  })
  let said = ''
  service.stderr.on('data', text => {
    said = `${said}${text}`.slice(-2_000)
  })
  const ended = new Promise<void>(resolve => service.once('exit', () => resolve()))
  const end = async (): Promise<void> => {
    if (service.exitCode === null) await emptied(host).catch(() => undefined)
    service.kill('SIGTERM')
    // Each command that ran in a container leaves a process that would write there five minutes later.
    for (const pid of findProcesses([directory, 'conmon'])) sendSignal(pid, 'SIGKILL')
    await Promise.race([ended, delay(10_000, undefined, { ref: false })])
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
  }
  for (let tries = 0; !(await answers(host)); tries++) {
    if (tries > 300 || service.exitCode !== null) {
      await end()
      throw new Error(`podman ${version} does not serve its API: ${said}`)
    }
    await delay(100)
  }
  return { host, end }
}

/**
 * No journal and no systemd are needed; locks are files, as those in shared memory are the machine's. Limits are at most our
 * own, as Podman's default of 1048576 open files takes a right that a container or a small machine may not give.
 */
function settingsText(directory: string): string {
  const limits = ['nofile', 'nproc'].map(name => `"${name}=${limitOf(name)}:${limitOf(name)}"`).join(', ')
  // crun refuses machines that mount both versions of cgroups.
  const runtime = existsSync('/sys/fs/cgroup/unified') && versionOf('runc') !== '' ? 'runtime = "runc"\n' : ''
  return `[containers]
default_ulimits = [${limits}]
[engine]
${runtime}cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "${directory}/tmp"
[network]
network_config_dir = "${directory}/networks"
`
}

function limitOf(name: 'nofile' | 'nproc' | string): number {
  const words = name === 'nofile' ? 'Max open files' : 'Max processes'
  const line = readFileSync('/proc/self/limits', 'utf8')
    .split('\n')
    .find(each => each.startsWith(words))
  const hard = Number(line?.slice(words.length).trim().split(/\s+/)[1])
  return Math.min(Number.isFinite(hard) ? hard : 32_768, 32_768)
}

function versionOf(program: string): string {
  try {
    return /\d+\.\d+\.\d+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8', stdio: 'pipe' }))?.[0] ?? ''
  } catch {
    return ''
  }
}

async function answers(host: string): Promise<boolean> {
  const docker = connectDocker(host)
  try {
    return await docker.isPodman()
  } catch {
    return false
  } finally {
    await docker.close()
  }
}

async function emptied(host: string): Promise<void> {
  const docker = connectDocker(host)
  try {
    for (const { Id } of await docker.containers.list([])) await docker.containers.remove(Id)
  } finally {
    await docker.close()
  }
}
