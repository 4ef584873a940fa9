// The machine under an end-to-end test: programs run on it, processes of one state directory, and what one instance left behind.
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { contentHash } from '../../runtime/contract/hash.js'
import type { Docker } from '../../runtime/docker/client.js'
import { portTaken } from '../../runtime/host.js'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Never throws for an exit code. */
export function runProgram(path: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(path, [...args], { env: { ...env }, maxBuffer: 16 << 20 }, (error, out, err) => {
      const code = error === null ? 0 : error.code
      if (typeof code === 'number') resolve({ code, out, err })
      else reject(new Error(`${path} ${args.join(' ')}: ${error?.message}`))
    })
  })
}

/** '' where there is no such file. */
export function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Looks every 50 ms. */
export async function waitUntil(what: string, withinMs: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs / 1000} s: ${what}`)
    await delay(50)
  }
}

/** Living processes that name the state directory: all of ours do. */
export function processesOf(state: string): readonly { readonly pid: number; readonly line: string }[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(name => ({ pid: Number(name), line: read(`/proc/${name}/cmdline`).split('\0').join(' ').trim() }))
    .filter(({ pid, line }) => pid !== process.pid && (line.includes(state) || environmentNames(pid, state)))
}

function environmentNames(pid: number, state: string): boolean {
  return read(`/proc/${pid}/environ`).split('\0').includes(`SLIPWAY_HOME=${state}`)
}

export function signalled(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** Processes, links, routes, engine networks and files; `network` as `slipway up` chose it. */
export async function leftOf(
  state: string,
  docker: Docker,
  network: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const processes = processesOf(state).map(({ pid, line }) => `process ${pid} ${line}`)
  const bridges = [network.SLIPWAY_POD_BRIDGE, network.SLIPWAY_SERVICE_BRIDGE].filter(name => name !== undefined)
  const links = readdirSync('/sys/class/net').filter(name => bridges.includes(name))
  const { out } = await runProgram('ip', ['-4', '-o', 'route', 'show', 'table', 'all'], { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' })
  const routes = out.split('\n').filter(line => bridges.some(bridge => line.includes(` ${bridge} `)))
  const memory = `slipway-${contentHash(join(state, 'runtime'))}`
  const files = [state, join('/run', memory), join('/dev/shm', memory)].filter(existsSync).map(path => `file ${path}`)
  return [
    ...processes,
    ...links.map(name => `link ${name}`),
    ...routes.map(route => `route ${route}`),
    ...(await engineNetwork(docker, network.SLIPWAY_POD_NETWORK ?? '')),
    ...files,
  ]
}

async function engineNetwork(docker: Docker, name: string): Promise<readonly string[]> {
  return docker.networks.inspect(name).then(
    () => [`network ${name}`],
    () => [],
  )
}

/** A port of Kubernetes' range for node ports at which nobody listens now. */
export async function freeNodePort(): Promise<number> {
  for (;;) {
    const port = 30_000 + Math.floor(Math.random() * 2_768)
    if (!(await portTaken(port, ''))) return port
  }
}
