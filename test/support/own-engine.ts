// A dockerd that belongs to one test: it may be killed, stopped and started as the test likes.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectDocker } from '../../runtime/docker/client.js'
import { endPrivateEngine } from '../../runtime/docker/engine.js'
import type { Machine } from './power.js'

export interface OwnEngine {
  /** As in DOCKER_HOST. */
  readonly host: string
  readonly directory: string
  /** Resolves once it answers. */
  start(): Promise<void>
  /** Resolves once it has ended; SIGTERM lets it end its containers, unless it has live-restore. */
  end(signal: NodeJS.Signals): Promise<void>
  /** SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void
}

/** Started; ended and removed with the test. */
export async function startOwnEngine(
  t: { teardown(work: () => unknown): void },
  options: { readonly liveRestore: boolean; readonly machine?: () => Machine },
): Promise<OwnEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-engine-'))
  const host = `unix://${join(directory, 'docker.sock')}`
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'daemon.json'), '{}')
  const at = (name: string) => join(directory, name)
  const args = [
    ...['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('dockerd.pid'), '--host', host],
    ...['--config-file', at('daemon.json'), ...(options.liveRestore ? ['--live-restore'] : [])],
  ]
  let child: ChildProcess | null = null
  const engine: OwnEngine = {
    host,
    directory,
    async start() {
      // What was killed leaves its pid file, and the number may be another's by now.
      for (const name of ['dockerd.pid', 'exec/containerd/containerd.pid']) rmSync(at(name), { force: true })
      const log = openSync(at('dockerd.log'), 'a')
      const [program = '', ...rest] = [...(options.machine?.().within ?? []), 'dockerd', ...args]
      child = spawn(program, rest, { stdio: ['ignore', log, log] })
      const docker = connectDocker(host)
      for (
        let tries = 0;
        !(await docker
          .ping()
          .then(() => true)
          .catch(() => false));
        tries++
      ) {
        if (child.exitCode !== null || tries > 300)
          throw new Error(`dockerd: ${readFileSync(at('dockerd.log'), 'utf8').slice(-1000)}`)
        await delay(100)
      }
      await docker.close()
    },
    async end(signal) {
      const ending = child
      child = null
      if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return
      const gone = new Promise(resolve => ending.once('exit', resolve))
      ending.kill(signal)
      await gone
    },
    signal: signal => void child?.kill(signal),
  }
  t.teardown(async () => {
    engine.signal('SIGCONT')
    // Pids in its files are those of that machine.
    if (options.machine !== undefined) await options.machine().cut()
    else await endPrivateEngine(directory, { volumes: true })
    await engine.end('SIGKILL')
    removeGroups(directory)
    rmSync(directory, { recursive: true, force: true })
  })
  await engine.start()
  return engine
}

/** What containers that lost their power left in the kernel's control groups. */
function removeGroups(directory: string): void {
  const ids = list(join(directory, 'data/containers'))
  for (const id of ids) for (const controller of ['', ...list(groups)]) remove(join(groups, controller, 'docker', id))
}

const groups = '/sys/fs/cgroup'

function list(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function remove(group: string): void {
  try {
    rmdirSync(group)
  } catch {}
}
