// A real image registry for tests, where the machine has one (Debian's docker-registry and skopeo): loopback, one account.
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../controller/cli/machine.js'
import { runProgram, waitUntil } from './machine.js'

export interface Registry {
  /** `127.0.0.1:5000` */
  readonly host: string
  readonly username: string
  readonly password: string
  /** Puts the archive there as `<host>/<name>`; gives that. */
  push(name: string, archive: Buffer): Promise<string>
  stop(): void
}

const username = 'puller'
/** Fixed with its bcrypt hash: Node makes none. */
export const registryPassword = 'KanarieRegistry5f2c81d07e'
const hash = '$2y$05$abcdefghijklmnopqrstuu4g1Cd02dQ3u4NIbV6cEo2P0LtVDefbO'

export interface RegistryOptions {
  /** Instead of a free port: to start one again where it was. */
  readonly port?: number
  /** docker-registry's own `auth`; one account (htpasswd) where it is not given, nobody asked where it is null. */
  readonly auth?: Readonly<Record<string, unknown>> | null
  /** What has to be there too. */
  readonly programs?: readonly string[]
}

/** null where the machine has no docker-registry or no skopeo. */
export async function startRegistry(work: string, options: RegistryOptions = {}): Promise<Registry | null> {
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: work }
  for (const program of ['docker-registry', ...(options.programs ?? ['skopeo'])])
    if ((await runProgram('/bin/sh', ['-c', `command -v ${program}`], env)).code !== 0) return null
  const directory = join(work, 'registry')
  mkdirSync(directory, { recursive: true })
  const at = (name: string) => join(directory, name)
  const host = `127.0.0.1:${options.port ?? (await freePort())}`
  writeFileSync(at('htpasswd'), `${username}:${hash}\n`)
  const auth = options.auth === undefined ? { htpasswd: { realm: 'tests', path: at('htpasswd') } } : options.auth
  const config = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: at('data') } },
    http: { addr: host },
    ...(auth === null ? {} : { auth }),
  }
  writeFileSync(at('config.yml'), JSON.stringify(config))
  const child = spawn('docker-registry', ['serve', at('config.yml')], { env, stdio: 'ignore' })
  const answers = () =>
    fetch(`http://${host}/v2/`).then(
      () => true,
      () => false,
    )
  await waitUntil('the registry answers', 20_000, answers)
  return {
    host,
    username,
    password: registryPassword,
    async push(name, archive) {
      writeFileSync(at('image.tar'), archive)
      const access = ['--dest-tls-verify=false', '--dest-creds', `${username}:${registryPassword}`]
      const args = ['copy', '--insecure-policy', ...access, `docker-archive:${at('image.tar')}`, `docker://${host}/${name}`]
      const { code, err } = await runProgram('skopeo', args, env)
      if (code !== 0) throw new Error(`skopeo: ${err}`)
      return `${host}/${name}`
    },
    stop: () => void child.kill(),
  }
}
