// The two sockets that names are asked on: made new, or those that we were started with, and their numbers in this process.
import { createSocket, type Socket } from 'node:dgram'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer, type ListenOptions, type Server } from 'node:net'

/** The file descriptors that the process which answers after us is started with. */
export const inherited = { udp: 3, tcp: 4 } as const

/**
 * Of several that are bound to one address Linux gives each datagram to the newest: who comes back has new questions at once, and
 * who goes answers what it has. Rejects with EADDRINUSE where somebody has it who did not allow that.
 */
export function bindUdp(address: string, port: number): Promise<Socket> {
  const udp = createSocket({ type: 'udp4', reuseAddr: true })
  return settled(udp, () => udp.bind(port, address))
}

/** Beside one that listens there already only where Node can ask for that (22.12 and later), else it rejects with EADDRINUSE. */
export function listenTcp(address: string, port: number): Promise<Server> {
  const tcp = createServer()
  const options: ListenOptions & { readonly reusePort: boolean } = { host: address, port, reusePort: true }
  return settled(tcp, () => tcp.listen(options))
}

export function takeUdp(): Promise<Socket> {
  const udp = createSocket('udp4')
  return settled(udp, () => udp.bind({ fd: inherited.udp }))
}

export function takeTcp(): Promise<Server> {
  const tcp = createServer()
  return settled(tcp, () => tcp.listen({ fd: inherited.tcp }))
}

/** In the very turn in which it listens: what comes in the next one is heard by whoever the promise is for. */
function settled<T extends Socket | Server>(socket: T, begin: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      socket.close(() => {})
      reject(error)
    }
    const isUp = () => {
      socket.off('error', failed)
      socket.on('error', () => {})
      resolve(socket)
    }
    ;(socket as NodeJS.EventEmitter).once('error', failed).once('listening', isUp)
    begin()
  })
}

/** Their file descriptors in this process, which Node does not tell: found by what the kernel lists. */
export function descriptorsOf(address: string, port: number): { readonly udp: number; readonly tcp: number } {
  const own = ownSockets()
  const local = localAddress(address, port)
  const find = (protocol: 'udp' | 'tcp') => {
    const inodes = inodesOf(readFileSync(`/proc/self/net/${protocol}`, 'utf8'), local)
    const found = inodes.flatMap(inode => own.get(inode) ?? [])
    if (found[0] === undefined) throw new Error(`the kernel does not list our ${protocol} socket on ${address}:${port}`)
    return found[0]
  }
  return { udp: find('udp'), tcp: find('tcp') }
}

/** Inode -> file descriptor. */
function ownSockets(): ReadonlyMap<string, number> {
  const sockets = new Map<string, number>()
  for (const fd of readdirSync('/proc/self/fd')) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/self/fd/${fd}`))?.[1]
    if (inode !== undefined) sockets.set(inode, Number(fd))
  }
  return sockets
}

/** The one that lists the directory is in it, and gone. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** As the kernel writes it: the address's 32 bits in the machine's own order (the little end first wherever we run), then the port. */
export function localAddress(address: string, port: number): string {
  const hex = (number: number, digits: number) => number.toString(16).toUpperCase().padStart(digits, '0')
  const bytes = address.split('.').map(Number).reverse()
  return `${bytes.map(byte => hex(byte, 2)).join('')}:${hex(port, 4)}`
}

/** Of /proc/net/{udp,tcp}: those of a local address that are connected to nobody: 07 for UDP, 0A (LISTEN) for TCP. */
export function inodesOf(text: string, local: string): readonly string[] {
  return text.split('\n').flatMap(line => {
    const [, own, , state, , , , , , inode] = line.trim().split(/\s+/)
    return own === local && (state === '07' || state === '0A') && inode !== undefined ? [inode] : []
  })
}
