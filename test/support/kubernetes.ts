// A real Kubernetes API server and its etcd, for what only it can say of an object. Found as $KUBE_BIN, in ~/.cache/slipway or on PATH.
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { freePort } from '../../controller/cli/machine.js'

export interface Answer {
  readonly status: number
  /** Of the API server: `unknown field "spec.bogus"`, and what a pod security policy would refuse. */
  readonly warnings: readonly string[]
  readonly body: { readonly message?: string; readonly [field: string]: unknown }
}

export interface Kubernetes {
  ask(method: string, path: string, body?: unknown, type?: string): Promise<Answer>
  stop(): Promise<void>
}

interface Programs {
  readonly server: string
  readonly etcd: string
}

/** null where a machine has them not: they are large, and nothing that the set-up installs. */
export function kubernetesPrograms(): Programs | null {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'slipway')
  const cached = existsSync(cache)
    ? readdirSync(cache)
        .filter(name => name.startsWith('kubernetes-'))
        .map(name => join(cache, name))
    : []
  const places = [process.env.KUBE_BIN ?? '', ...cached, ...(process.env.PATH ?? '').split(delimiter)]
  const find = (name: string) =>
    places
      .filter(place => place !== '')
      .map(place => join(place, name))
      .find(file => existsSync(file))
  const [server, etcd] = [find('kube-apiserver'), find('etcd')]
  return server === undefined || etcd === undefined ? null : { server, etcd }
}

const patienceMs = 240_000

/** Throws with the server's last words where it does not get ready. */
export async function startKubernetes({ server, etcd }: Programs): Promise<Kubernetes> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-kubernetes-'))
  const [port, client, peer] = [await freePort(), await freePort(), await freePort()]
  const token = randomBytes(16).toString('hex')
  writeFileSync(join(directory, 'tokens.csv'), `${token},tests,tests,"system:masters"\n`)
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(join(directory, 'accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const start = (name: string, program: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(directory, `${name}.log`), 'w')
    return spawn(program, args, { stdio: ['ignore', log, log] })
  }
  const store = start('etcd', etcd, etcdFlags(directory, client, peer))
  const api = start('server', server, serverFlags(directory, port, client))
  const stop = async (): Promise<void> => {
    await Promise.all([api, store].map(ended))
    rmSync(directory, { recursive: true, force: true })
  }
  const ask: Kubernetes['ask'] = (method, path, body, type = 'application/json') =>
    answerOf({ port, token, method, path, body, type })
  for (const deadline = Date.now() + patienceMs; ; await new Promise(wake => setTimeout(wake, 100))) {
    const ready = await ask('GET', '/readyz').catch(() => null)
    if (ready?.status === 200) return { ask, stop }
    if (api.exitCode === null && Date.now() < deadline) continue
    const words = readFileSync(join(directory, 'server.log'), 'utf8').slice(-2_000)
    await stop()
    throw new Error(`kube-apiserver did not get ready: ${words}`)
  }
}

/** Gone, so that it writes no more into its directory. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

function etcdFlags(directory: string, client: number, peer: number): string[] {
  const at = (port: number): string => `http://127.0.0.1:${port}`
  return [
    `--data-dir=${join(directory, 'etcd')}`,
    `--listen-client-urls=${at(client)}`,
    `--advertise-client-urls=${at(client)}`,
    `--listen-peer-urls=${at(peer)}`,
    `--initial-advertise-peer-urls=${at(peer)}`,
    `--initial-cluster=default=${at(peer)}`,
  ]
}

function serverFlags(directory: string, port: number, client: number): string[] {
  const key = join(directory, 'accounts.key')
  return [
    `--etcd-servers=http://127.0.0.1:${client}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(directory, 'certificates')}`,
    `--token-auth-file=${join(directory, 'tokens.csv')}`,
    '--authorization-mode=RBAC',
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--disable-admission-plugins=ServiceAccount',
  ]
}

interface Asking {
  readonly port: number
  readonly token: string
  readonly method: string
  readonly path: string
  readonly body: unknown
  readonly type: string
}

/** On loopback, with the certificate that the server has made for itself. */
function answerOf({ port, token, method, path, body, type }: Asking): Promise<Answer> {
  return new Promise((settle, fail) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json', 'content-type': type }
    const asked = request({ host: '127.0.0.1', port, method, path, headers, rejectUnauthorized: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', fail)
      response.on('end', () =>
        settle({ status: response.statusCode ?? 0, warnings: warningsIn(response.headers.warning), body: parsed(chunks) }),
      )
    })
    asked.on('error', fail)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** `299 - "unknown field \"spec.bogus\""`, several joined by commas. */
function warningsIn(header: string | undefined): string[] {
  return [...(header ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text.replace(/\\(.)/g, '$1'))
}

function parsed(chunks: readonly Buffer[]): Answer['body'] {
  const text = Buffer.concat(chunks).toString('utf8')
  return text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : { message: text }
}
