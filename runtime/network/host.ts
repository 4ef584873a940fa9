// The machine's own network as far as the data plane touches it: routes, the Service bridge, and who listens where.
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import { formatRange, type Range, type Routed, routedRanges } from './addresses.js'

const run = promisify(execFile)

async function ip(...args: string[]): Promise<string> {
  try {
    return (await run('ip', args)).stdout
  } catch (cause) {
    const { code, stderr } = cause as { code?: unknown; stderr?: string }
    if (code === 'ENOENT') throw new Error('the "ip" command is missing; install the package iproute2', { cause })
    throw new Error(`ip ${args.join(' ')}: ${stderr?.trim() || code}`, { cause })
  }
}

/** Every range that this machine routes or owns, with its interface. */
export async function routes(): Promise<readonly Routed[]> {
  return routedRanges(await ip('-4', '-o', 'route', 'show', 'table', 'all'))
}

/**
 * A bridge without ports, and the whole range local to this machine over it: every address of the range is answered here, for the
 * host and for containers on any bridge, and no address needs a command of its own. Containers reach it as they reach the host,
 * so the engine's rules for forwarding do not matter. Repeating it changes nothing.
 */
export async function ensureServiceBridge(bridge: string, range: Range): Promise<void> {
  const exists = await ip('-o', 'link', 'show', 'dev', bridge).then(
    () => true,
    () => false,
  )
  if (!exists) await ip('link', 'add', 'name', bridge, 'type', 'bridge')
  await ip('link', 'set', bridge, 'up')
  await ip('route', 'replace', 'local', formatRange(range), 'dev', bridge, 'table', 'local')
}

/**
 * Is the bridge there and up, and this address of its range this machine's own? Costs no program: an address that is not cannot be
 * bound, but where `net.ipv4.ip_nonlocal_bind` is set, and then the bridge alone tells.
 */
export async function isServed(bridge: string, ip: string): Promise<boolean> {
  return isUp(bridge) && (await isLocal(ip))
}

/** IFF_UP of the interface's flags (netdevice(7)). */
export function isUp(name: string): boolean {
  try {
    return (Number(readFileSync(`/sys/class/net/${name}/flags`, 'utf8')) & 1) === 1
  } catch {
    return false
  }
}

function isLocal(ip: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      resolve(error.code !== 'EADDRNOTAVAIL')
    })
    socket.bind(0, ip, () => socket.close(() => resolve(true)))
  })
}

/** Its routes go with it. */
export async function removeServiceBridge(bridge: string): Promise<void> {
  await ip('link', 'del', bridge).catch(error => {
    if (!/Cannot find device/.test(String(error))) throw error
  })
}

export interface Listening {
  /** `0.0.0.0` and `::` alike are '*'. */
  readonly ip: string
  readonly port: number
  /** The socket's inode: who holds it is found by that. */
  readonly inode: string
}

/** TCP sockets that listen on this machine, whoever owns them. */
export function listeningSockets(): readonly Listening[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(path => readListening(read(path)))
}

/** Lines of /proc/net/tcp{,6} in state 0A (LISTEN); addresses are in host byte order, 32 bits at a time. */
export function readListening(text: string): readonly Listening[] {
  return text.split('\n').flatMap(line => {
    const found = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F:]+ 0A (?:\S+\s+){5}(\d+)/.exec(line)
    const [, address = '', port = '', inode = ''] = found ?? []
    return found === null ? [] : [{ ip: readAddress(address), port: Number.parseInt(port, 16), inode }]
  })
}

function readAddress(hex: string): string {
  if (/^0+$/.test(hex)) return '*'
  // ::ffff:127.0.0.1 is written with its last word as an IPv4 address.
  const mapped = hex.length === 8 || hex.startsWith('0000000000000000FFFF0000')
  const octets = hex.slice(-8).match(/../g) ?? []
  return mapped
    ? octets
        .reverse()
        .map(octet => Number.parseInt(octet, 16))
        .join('.')
    : `[${hex}]`
}

/** Inodes of the sockets that these processes hold. */
export function socketsOf(pids: readonly number[]): ReadonlySet<string> {
  const links = pids.flatMap(pid => list(`/proc/${pid}/fd`).map(fd => link(`/proc/${pid}/fd/${fd}`)))
  return new Set(links.flatMap(target => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []))
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
