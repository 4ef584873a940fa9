// A data plane of its own for each test file, beside whatever else runs on the machine, and small servers that stand for pods.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createDataPlane } from '../../runtime/network/dataplane.js'
import { networkEngine } from '../../runtime/network/engine.js'
import type {
  DataPlane,
  DataPlaneOptions,
  DataPlaneState,
  Endpoint,
  HaproxyRunner,
  ServicePort,
  ServiceSpec,
} from '../../runtime/network/types.js'
import { testDocker } from './images.js'

export interface TestPlane {
  readonly plane: DataPlane
  readonly stateDir: string
  readonly serviceBridge: string
  readonly haproxyPath: string
  /** Another one over the same state directory, as a restarted runtime makes it; the former one is over. */
  again(): DataPlane
  /** The same owned by a process of its own, for tests that kill it. Resolves once this state is applied. */
  owned(wanted: DataPlaneState): Promise<ChildProcess>
  end(): Promise<void>
}

/** Not started yet. Names on the machine carry a random mark; ranges are chosen around what is routed. */
export function testPlane(more: Partial<DataPlaneOptions> = {}, container?: (stateDir: string) => HaproxyRunner): TestPlane {
  const mark = randomBytes(3).toString('hex')
  const docker = testDocker()
  const stateDir = mkdtempSync(join(tmpdir(), 'slipway-net-'))
  const places = {
    stateDir,
    haproxyPath: execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin command -v haproxy'], { encoding: 'utf8' }).trim(),
    network: `slipway-test-${mark}`,
    podBridge: `swp${mark}`,
    serviceBridge: `sws${mark}`,
    podRange: '10.221.0.0/20',
    serviceRange: '10.220.0.0/20',
  }
  const options: DataPlaneOptions = {
    ...places,
    docker: networkEngine(docker.networks),
    now: Date.now,
    log: () => {},
    ...more,
    ...(container && { haproxyContainer: container(stateDir) }),
  }
  const planes: DataPlane[] = []
  let over = new AbortController()
  const next = (): DataPlane => {
    over.abort()
    over = new AbortController()
    const [made, life] = [createDataPlane(options), over.signal]
    planes.push(made)
    return { ...made, start: signal => made.start(AbortSignal.any([signal, life])) }
  }
  return {
    plane: next(),
    stateDir,
    serviceBridge: places.serviceBridge,
    haproxyPath: places.haproxyPath,
    again: next,
    async owned(wanted) {
      const main = fileURLToPath(new URL('./network-owner.js', import.meta.url))
      const child = spawn(process.execPath, [main, JSON.stringify(places), JSON.stringify(wanted)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const said = await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => ['ended'])])
      if (String(said[0]).trim() !== 'applied') throw new Error(`the owner did not start: ${said[0]}`)
      return child
    },
    async end() {
      // All of them: one that still watches would make its bridge again.
      for (const each of planes) await each.purge()
      await docker.close()
      rmSync(stateDir, { recursive: true, force: true })
    },
  }
}

export function service(name: string, port: Partial<ServicePort> = {}, more: Partial<ServiceSpec> = {}): ServiceSpec {
  const ports = [{ name: 'main', port: 80, protocol: 'TCP' as const, nodePort: null, mode: 'http' as const, ...port }]
  return { namespace: 'shop', name, type: 'ClusterIP', headless: false, publishNotReady: false, ports, ...more }
}

export function endpoint(name: string, at: { ip: string; port: number }, more: Partial<Endpoint> = {}): Endpoint {
  return {
    namespace: 'shop',
    service: name,
    portName: 'main',
    servicePort: 80,
    podUid: `uid-${at.ip}`,
    podName: `${name}-${at.ip}`,
    hostname: '',
    ip: at.ip,
    targetPort: at.port,
    state: 'ready',
    ...more,
  }
}

export function state(services: readonly ServiceSpec[], endpoints: readonly Endpoint[] = []): DataPlaneState {
  return { services, endpoints }
}

export interface Pod {
  readonly ip: string
  readonly port: number
  /** Ids of the requests served, in order. */
  readonly served: string[]
  end(): Promise<void>
}

let lastPod = 1

/** An http server on an address of its own in 127/8. It answers with its address; `/slow?MS` only after so long. */
export function httpPod(answer?: (request: IncomingMessage, response: ServerResponse) => void): Promise<Pod> {
  const ip = nextAddress()
  const served: string[] = []
  const server = createServer((request, response) => {
    served.push(String(request.headers['x-request-id'] ?? ''))
    if (answer !== undefined) return answer(request, response)
    const wait = Number(/^\/slow\?(\d+)$/.exec(request.url ?? '')?.[1] ?? 0)
    setTimeout(() => response.end(ip), wait)
  })
  server.on('upgrade', (_request, socket) => {
    socket.on('error', () => {}).on('end', () => socket.end())
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.on('data', data => socket.write(data))
  })
  return listening(server, ip, served, () => server.closeAllConnections())
}

/** A server that speaks first, then echoes. */
export function tcpPod(greeting = '220 hello\r\n'): Promise<Pod> {
  const ip = nextAddress()
  const sockets = new Set<Socket>()
  const server = createTcpServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.write(greeting)
    socket.pipe(socket)
  })
  return listening(server, ip, [], () => {
    for (const socket of sockets) socket.destroy()
  })
}

function nextAddress(): string {
  lastPod++
  return `127.${100 + (process.pid % 100)}.${lastPod >> 8}.${lastPod & 255}`
}

function listening(server: Server | TcpServer, ip: string, served: string[], cut: () => void): Promise<Pod> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, ip, () => {
      const port = (server.address() as { port: number }).port
      const end = () =>
        new Promise<void>(done => {
          server.close(() => done())
          cut()
        })
      resolve({ ip, port, served, end })
    })
  })
}
