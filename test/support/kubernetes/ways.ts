// Ways between a real node's pods and this machine, which a cluster has and this one lacks (no kube-proxy, no names): an address of Services
// on loopback behind which the API server and others answer, a port behind which a Service's pod is, a program run in a container.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { Exec, KubeConfig, type V1Status } from '@kubernetes/client-node'
import type { Ran } from '../machine.js'
import type { TestCluster } from './server.js'

type Ends = { teardown(end: () => unknown): void }

export interface ServiceAddress {
  /** `10.97.5`, for `startKubernetes`. */
  readonly services: string
  /** Of the API server, as pods know it. */
  readonly host: string
  /** What listens there on loopback is found by pods at this port of the address. */
  relay(port: number, target: number): Promise<void>
}

/** Another one for each test, so that two may run at once. */
export function serviceAddress(t: Ends): ServiceAddress {
  const services = `10.97.${randomBytes(1)[0]}`
  const host = `${services}.1`
  const link = (verb: string) => execFileSync('ip', ['address', verb, `${host}/32`, 'dev', 'lo'], { stdio: 'pipe' })
  link('add')
  t.teardown(() => link('del'))
  const relay = async (port: number, target: number) => {
    const end = await listening(port, host, socket => joined(socket, connect(target, '127.0.0.1')))
    t.teardown(end)
  }
  return { services, host, relay }
}

/** Gives how it is ended. */
async function listening(port: number, host: string, accept: (socket: Socket) => void): Promise<() => Promise<void>> {
  const open = new Set<Socket>()
  const server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => {}).once('close', () => open.delete(socket))
    accept(socket)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  return () => {
    for (const socket of open) socket.destroy()
    return new Promise(resolve => server.close(() => resolve()))
  }
}

function joined(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const)
    from
      .on('error', () => to.destroy())
      .on('close', () => to.destroy())
      .pipe(to)
}

function configOf(cluster: TestCluster): KubeConfig {
  const config = new KubeConfig()
  config.loadFromFile(cluster.kubeconfig)
  return config
}

/** A port of this machine behind which a Service's one pod answers: whichever has that name when somebody connects. */
export async function served(
  t: Ends,
  cluster: TestCluster,
  namespace: string,
  pod: string,
  port: number,
  at: number,
): Promise<void> {
  const end = await listening(at, '127.0.0.1', socket => {
    cluster.find(`/api/v1/namespaces/${namespace}/pods/${pod}`).then(
      found => (found?.status?.podIP === undefined ? socket.destroy() : joined(socket, connect(port, found.status.podIP))),
      () => socket.destroy(),
    )
  })
  t.teardown(end)
}

/** As `kubectl exec`. */
export async function inContainer(
  cluster: TestCluster,
  [namespace, pod, container]: readonly [string, string, string],
  ...command: readonly string[]
): Promise<Ran> {
  const [out, err] = [gathering(), gathering()]
  const exec = new Exec(configOf(cluster))
  const code = await new Promise<number>((resolve, reject) => {
    exec
      .exec(namespace, pod, container, [...command], out, err, null, false, status => resolve(codeOf(status)))
      .catch((error: Error) => reject(new Error(`exec in ${pod}: ${error.message}`)))
  })
  return { code, out: out.text(), err: err.text() }
}

function gathering(): Writable & { text(): string } {
  const parts: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(Buffer.from(chunk))
      done()
    },
  })
  return Object.assign(stream, { text: () => Buffer.concat(parts).toString('utf8') })
}

function codeOf({ status, details }: V1Status): number {
  if (status === 'Success') return 0
  return Number(details?.causes?.find(cause => cause.reason === 'ExitCode')?.message ?? 1)
}
