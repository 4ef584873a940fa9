// A real Kubernetes for tests: etcd, API server, controller manager and scheduler on loopback, with pods that are played (`played.ts`).
// Built once into a cache (`build.mjs`); up in about four seconds; ended with SIGKILL, since an API server without its etcd lingers.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { type Player, playPods } from './played.js'

/** The sources of the servers lie with the tests' own, which are not compiled. */
const builder = normalize(join(fileURLToPath(import.meta.url), '../../../../../test/support/kubernetes/build.mjs'))

export interface TestCluster {
  /** `https://127.0.0.1:45123` */
  readonly url: string
  /** PEM. */
  readonly ca: string
  /** Of a member of system:masters. */
  readonly token: string
  readonly directory: string
  /** A file with one context, `test`. */
  readonly kubeconfig: string
  /** JSON in, JSON out, as an administrator. Throws with the API server's words on anything but 2xx. */
  call(method: string, path: string, body?: unknown, contentType?: string): Promise<Json>
  /** The same, but null where it is not there. */
  find(path: string): Promise<Json | null>
  namespace(name: string): Promise<void>
  /** The API server alone; etcd keeps everything. */
  killApi(): Promise<void>
  startApi(): Promise<void>
  readonly player: Player
  stop(): Promise<void>
}

// biome-ignore lint/suspicious/noExplicitAny: what an API server says has no shape that tests would gain from
export type Json = any

/** Where there is no Go, and so no Kubernetes: why, for `t.skip`. Else false. */
export async function noKubernetes(): Promise<string | false> {
  return (await builtProgram('servers')) === ''
    ? 'NO KUBERNETES IS TESTED HERE: its servers are built with Go, and Go is missing'
    : false
}

const programs = new Map<string, Promise<string>>()

/** Its path; '' where there is no Go. */
export function builtProgram(part: 'servers' | 'kubelet'): Promise<string> {
  const built = programs.get(part) ?? building(part)
  programs.set(part, built)
  return built
}

function building(part: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [builder, part], { maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (error?.code === 3) resolve('')
      else if (error !== null) reject(new Error(stderr || error.message))
      else resolve(stdout.trim())
    })
  })
}

export interface KubernetesChoice {
  /** `false`: pods are left to a node of the test's own (`node.ts`). */
  readonly played?: boolean
  /** PEM: whoever shows a certificate of this authority is known by it. */
  readonly clientAuthority?: string
  /** `10.97.5`: of Services, the API server's the first. Pods then have accounts, as those that call it do. */
  readonly services?: string
}

export async function startKubernetes(
  t: { teardown(end: () => unknown): void },
  { played = true, clientAuthority = '', services = '' }: KubernetesChoice = {},
): Promise<TestCluster> {
  const binary = await builtProgram('servers')
  const directory = await mkdtemp(join(tmpdir(), 'slipway-kubernetes-'))
  const [api = 0, etcd = 0, peer = 0] = await freePorts(3)
  const token = randomBytes(16).toString('hex')
  writeFileSync(join(directory, 'tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 })
  if (clientAuthority !== '') writeFileSync(join(directory, 'clients.crt'), clientAuthority)
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(join(directory, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 })
  writeFileSync(join(directory, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }))

  const running = new Map<string, ChildProcess>()
  const start = (name: string, args: readonly string[]) => running.set(name, started(binary, name, args, directory))
  const kill = async (name: string) => {
    const child = running.get(name)
    running.delete(name)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.ref()
    child.kill('SIGKILL')
    await gone
  }
  const url = `https://127.0.0.1:${api}`
  const startApi = async () => {
    start('apiserver', apiFlags(directory, api, etcd, services))
    await answering(
      `${url}/readyz`,
      join(directory, 'apiserver.crt'),
      join(directory, 'apiserver.log'),
      running.get('apiserver')!,
    )
  }
  const ends: (() => unknown)[] = []
  const stop = async () => {
    for (const end of ends.splice(0)) await end()
    await Promise.all([...running.keys()].map(kill))
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  t.teardown(stop)

  start('etcd', etcdFlags(directory, etcd, peer))
  await startApi()
  const ca = readFileSync(join(directory, 'apiserver.crt'), 'utf8')
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(kubeconfig, kubeconfigOf(url, ca, token), { mode: 0o600 })
  start('controllers', controllerFlags(directory, kubeconfig))
  start('scheduler', [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'])

  const agent = new Agent({ connect: { ca }, connections: 16 })
  ends.push(() => agent.destroy())
  const call: TestCluster['call'] = async (method, path, body, contentType = 'application/json') => {
    const { statusCode, body: said } = await request(`${url}${path}`, {
      dispatcher: agent,
      method: method as 'GET',
      headers: { authorization: `Bearer ${token}`, 'content-type': contentType, accept: 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await said.text()
    if (statusCode >= 300) throw Object.assign(new Error(`${method} ${path}: ${statusCode} ${text}`), { statusCode })
    return text === '' ? null : JSON.parse(text)
  }
  const player = played ? await playPods({ url, token, ca }) : nobody
  ends.unshift(() => player.stop())
  return {
    url,
    ca,
    token,
    directory,
    kubeconfig,
    call,
    find: path =>
      call('GET', path).catch(error => {
        if ((error as { statusCode?: number }).statusCode === 404) return null
        throw error
      }),
    namespace: async name => {
      await call('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    },
    killApi: () => kill('apiserver'),
    startApi,
    player,
    stop,
  }
}

const nobody: Player = { pause: () => {}, resume: () => {}, stop: async () => {} }

function etcdFlags(directory: string, client: number, peer: number): readonly string[] {
  const [clients, peers] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
  return [
    `--data-dir=${join(directory, 'etcd')}`,
    `--listen-client-urls=${clients}`,
    `--advertise-client-urls=${clients}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=default=${peers}`,
    '--unsafe-no-fsync',
    '--log-level=error',
  ]
}

/** Its own certificate, made at the first start, holds its own authority; a token is enough to be known by. */
function apiFlags(directory: string, port: number, etcd: number, services: string): readonly string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcd}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${directory}`,
    `--token-auth-file=${join(directory, 'tokens.csv')}`,
    `--service-account-key-file=${join(directory, 'sa.pub')}`,
    `--service-account-signing-key-file=${join(directory, 'sa.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-cluster-ip-range=${services === '' ? '10.96.0.0/16' : `${services}.0/24`}`,
    '--authorization-mode=RBAC',
    // A node of the test's own is named as this machine's loopback is.
    '--kubelet-preferred-address-types=Hostname,InternalIP',
    // No kubelet beats for the played node, and its pods need no account's token.
    `--disable-admission-plugins=${services === '' ? 'ServiceAccount,' : ''}TaintNodesByCondition`,
    ...(existsSync(join(directory, 'clients.crt')) ? [`--client-ca-file=${join(directory, 'clients.crt')}`] : []),
  ]
}

function controllerFlags(directory: string, kubeconfig: string): readonly string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--service-account-private-key-file=${join(directory, 'sa.key')}`,
    '--leader-elect=false',
    '--secure-port=0',
    '--controllers=*,-node-lifecycle-controller,-taint-eviction-controller',
  ]
}

function started(binary: string, name: string, args: readonly string[], directory: string): ChildProcess {
  const log = join(directory, `${name}.log`)
  const child = spawn('/bin/sh', ['-c', 'log=$1; shift; exec "$@" >>"$log" 2>&1', 'sh', log, binary, name, ...args], {
    stdio: 'ignore',
    cwd: directory,
  })
  child.unref()
  return child
}

async function answering(url: string, caFile: string, log: string, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await new Promise(resolve => setTimeout(resolve, 100))) {
    if (child.exitCode !== null || child.signalCode !== null) break
    if (!existsSync(caFile)) continue
    const agent = new Agent({ connect: { ca: readFileSync(caFile, 'utf8') } })
    const isReady = await request(url, { dispatcher: agent }).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode === 200
      },
      () => false,
    )
    await agent.destroy()
    if (isReady) return
  }
  const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-4000) : ''
  throw new Error(`the API server at ${url} did not become ready: ${said}`)
}

function kubeconfigOf(server: string, ca: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  })
}

export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  const ports = await Promise.all(
    servers.map(async server => {
      await new Promise(resolve => server.once('listening', resolve))
      return (server.address() as { port: number }).port
    }),
  )
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}
