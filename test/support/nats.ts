// A real nats-server for tests: found on PATH, in ~/.cache/slipway/bin or as $NATS_SERVER; on a free port, with our authorization.

import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { authorizationBlock } from '../../runtime/contract/subjects.js'

export interface NatsServer {
  readonly url: string
  readonly port: number
  readonly directory: string
  /** `2.15.2` */
  readonly version: string
  start(): Promise<void>
  /** Ends the process; SIGKILL unless said. The store stays. */
  kill(signal?: NodeJS.Signals): Promise<void>
  restart(): Promise<void>
  /** Ends it, removes its store, starts it again. */
  wipe(): Promise<void>
  /** Stops the process without ending it, and lets it go on. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

export interface NatsOptions {
  /** Public nkeys. Without them there is no authorization. */
  readonly controller?: string
  readonly nodes?: readonly { readonly node: string; readonly nats: string }[]
  readonly binary?: string
}

/** Every nats-server there is, newest first; tests of what differs run on each. */
export function natsServers(): readonly { readonly binary: string; readonly version: string }[] {
  const cache = join(homedir(), '.cache/slipway/bin')
  const cached = existsSync(cache)
    ? readdirSync(cache)
        .filter(name => name.startsWith('nats-server'))
        .map(name => join(cache, name))
    : []
  const places = [...(process.env.PATH ?? '').split(delimiter), join(homedir(), 'go/bin'), '/usr/sbin', '/usr/local/bin']
  const named = [process.env.NATS_SERVER ?? '', ...cached, ...places.map(place => join(place, 'nats-server'))]
  const found = [...new Set(named)]
    .filter(file => file !== '' && existsSync(file))
    .map(binary => ({ binary, version: versionOf(binary) }))
  const versions = new Map(found.filter(({ version }) => version !== '').map(server => [server.version, server]))
  return [...versions.values()].sort((a, b) => b.version.localeCompare(a.version, 'en', { numeric: true }))
}

/** SIGSTOP is on its way when `kill` returns: a busy machine's threads may still answer until each of them has stopped. */
function freeze(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  const isStopped = (thread: string) => /\) [Tt] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'))
  for (const deadline = Date.now() + 5_000; Date.now() < deadline; ) if (readdirSync(`/proc/${pid}/task`).every(isStopped)) return
}

function versionOf(binary: string): string {
  try {
    return /v(\d+\.\d+\.\d+)/.exec(execFileSync(binary, ['--version'], { encoding: 'utf8' }))?.[1] ?? ''
  } catch {
    return ''
  }
}

/** Starts one. Throws when there is no nats-server: the set-up script installs it. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const found = options.binary === undefined ? natsServers()[0] : { binary: options.binary, version: versionOf(options.binary) }
  if (found === undefined) throw new Error('no nats-server: run `npm run setup`, or set NATS_SERVER to its path')
  const directory = await mkdtemp(join(tmpdir(), 'slipway-nats-'))
  const port = await freePort()
  const config = join(directory, 'nats.conf')
  await writeFile(config, configOf(directory, port, found.version, options))
  let child: ChildProcess | null = null

  const start = async () => {
    const started = spawn(found.binary, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    child = started
    let log = ''
    started.stderr?.on('data', chunk => {
      log = `${log}${chunk}`.slice(-4000)
    })
    const ended = new Promise<never>((_, reject) =>
      started.once('exit', code => reject(new Error(`nats-server ended (${code}): ${log}`))),
    )
    ended.catch(() => {})
    await Promise.race([answering(port), ended])
  }
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const ending = child
    child = null
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return
    const gone = new Promise(resolve => ending.once('exit', resolve))
    ending.kill('SIGCONT')
    ending.kill(signal)
    await gone
  }
  await start()
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    directory,
    version: found.version,
    start,
    kill,
    restart: async () => {
      await kill('SIGTERM')
      await start()
    },
    wipe: async () => {
      await kill()
      await rm(join(directory, 'store'), { recursive: true, force: true })
      await start()
    },
    freeze: () => freeze(child?.pid ?? 0),
    thaw: () => child?.kill('SIGCONT'),
    stop: async () => {
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function configOf(directory: string, port: number, version: string, options: NatsOptions): string {
  const modern = version.localeCompare('2.10', 'en', { numeric: true }) >= 0
  const jetstream = [`store_dir: ${JSON.stringify(join(directory, 'store'))}`, ...(modern ? ['sync_interval: always'] : [])]
  const authorization = options.controller === undefined ? '' : authorizationBlock(options.controller, options.nodes ?? [])
  return `listen: "127.0.0.1:${port}"\njetstream { ${jetstream.join(', ')} }\n${authorization}`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

/** The server sends its INFO line once it is ready for clients. */
async function answering(port: number): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await new Promise(resolve => setTimeout(resolve, 20))) {
    const said = await new Promise<boolean>(resolve => {
      const socket = connectTcp(port, '127.0.0.1')
      socket
        .once('data', () => resolve(true))
        .once('error', () => resolve(false))
        .once('close', () => resolve(false))
      socket.setTimeout(1_000, () => socket.destroy())
      socket.once('data', () => socket.destroy())
    })
    if (said) return
  }
  throw new Error(`nats-server on port ${port} does not answer within 20 s`)
}
