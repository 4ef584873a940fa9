// A real Git server over http for the demo and the tests: Node's http in front of `git http-backend`, with accounts, pushing,
// and switches for the faults that real servers have. Loopback only.
import { execFile, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface GitServerOptions {
  /** Bare repositories lie in it as `<name>.git`. */
  readonly root: string
  /** 0 takes a free one. */
  readonly port?: number
  /** PATH to find `git` on. */
  readonly path?: string
  /** Without any, everyone may read and push. */
  readonly accounts?: readonly Account[]
}

export interface Account {
  readonly username: string
  readonly password: string
  readonly mayPush: boolean
}

/** Set at any time; each request looks at them. */
export interface Faults {
  /** Connections are cut. */
  down: boolean
  /** Answered instead of anything; 0 for none. */
  status: number
  delayMs: number
  /** Every request is redirected there, its path added; '' for none. */
  redirectTo: string
  /** As an old server: knows nothing of protocol version 2. */
  old: boolean
  /** Awaited before a request is answered. */
  before: (request: string) => Promise<void>
}

export interface GitServer {
  /** `http://127.0.0.1:1234` */
  readonly url: string
  readonly root: string
  readonly faults: Faults
  /** Method and path of every request so far. */
  readonly requests: string[]
  /** Makes an empty bare repository that can be pushed to; gives its URL. */
  create(name: string): Promise<string>
  close(): Promise<void>
}

export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const faults: Faults = { down: false, status: 0, delayMs: 0, redirectTo: '', old: false, before: async () => {} }
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    answer(options, faults, request, response).catch(() => response.destroy())
  })
  await mkdir(options.root, { recursive: true })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, root: options.root, faults, requests, create: name => create(options, url, name), close: () => close(server) }
}

async function create(options: GitServerOptions, url: string, name: string): Promise<string> {
  const gitdir = join(options.root, `${name}.git`)
  await git(options, ['init', '--quiet', '--bare', '--initial-branch=main', gitdir])
  await git(options, ['-C', gitdir, 'config', 'http.receivepack', 'true'])
  return `${url}/${name}.git`
}

function git(options: GitServerOptions, args: readonly string[]): Promise<void> {
  const env = { PATH: pathOf(options), HOME: options.root, GIT_CONFIG_NOSYSTEM: '1' }
  return new Promise((resolve, reject) => execFile('git', [...args], { env }, error => (error ? reject(error) : resolve())))
}

function pathOf(options: GitServerOptions): string {
  return options.path ?? '/usr/local/bin:/usr/bin:/bin'
}

function close(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise(resolve => server.close(() => resolve()))
}

async function answer(
  options: GitServerOptions,
  faults: Faults,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  await faults.before(`${request.method} ${request.url}`)
  if (faults.delayMs > 0) await sleep(faults.delayMs, undefined, { ref: false })
  if (faults.down) return void request.socket.destroy()
  if (faults.status > 0) return end(response, faults.status, 'fault')
  if (faults.redirectTo !== '') return end(response, 302, 'elsewhere', { location: faults.redirectTo + (request.url ?? '') })
  const isPush = /git-receive-pack/.test(request.url ?? '')
  const account = accountOf(options.accounts ?? [], request.headers.authorization)
  if (options.accounts !== undefined && account === null) {
    return end(response, 401, 'who are you?', { 'www-authenticate': 'Basic realm="git"' })
  }
  if (account !== null && isPush && !account.mayPush) return end(response, 403, 'you may read, not push')
  if (faults.old) delete request.headers['git-protocol']
  backend(options, request, response, account?.username ?? 'anyone')
}

function end(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(`${text}\n`)
}

/** Basic `user:password`; or a Bearer token that is some account's password. */
function accountOf(accounts: readonly Account[], header: string | undefined): Account | null {
  const [scheme, value = ''] = (header ?? '').split(' ')
  if (scheme === 'Bearer') return accounts.find(({ password }) => password === value) ?? null
  const [username = '', password = ''] = Buffer.from(value, 'base64').toString('utf8').split(/:(.*)/s)
  return accounts.find(account => account.username === username && account.password === password) ?? null
}

/** CGI (RFC 3875): the request's body to its input; headers, a blank line and the body from its output. */
function backend(options: GitServerOptions, request: IncomingMessage, response: ServerResponse, user: string): void {
  const url = new URL(request.url ?? '/', 'http://server')
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: pathOf(options),
      HOME: options.root,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_PROJECT_ROOT: options.root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      CONTENT_LENGTH: request.headers['content-length'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      REMOTE_USER: user,
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.on('error', () => end(response, 500, 'git is not installed'))
  child.stdin.on('error', () => {})
  request.pipe(child.stdin)
  response.on('close', () => child.kill())
  passOn(child.stdout, response)
}

function passOn(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let head: Buffer = Buffer.alloc(0)
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk])
    const blank = head.indexOf('\r\n\r\n')
    if (blank < 0) return
    output.removeListener('data', onData)
    const headers = head
      .toString('latin1', 0, blank)
      .split('\r\n')
      .map(line => line.split(/: */, 2) as [string, string])
    const status = Number(headers.find(([name]) => name.toLowerCase() === 'status')?.[1]?.slice(0, 3) ?? 200)
    response.writeHead(status, Object.fromEntries(headers.filter(([name]) => name.toLowerCase() !== 'status')))
    response.write(head.subarray(blank + 4))
    output.pipe(response)
  }
  output.on('data', onData)
  output.once('end', () => response.headersSent || end(response, 500, 'git http-backend said nothing'))
}
