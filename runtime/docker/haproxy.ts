// HAProxy out of its image, for machines that have no haproxy of their own: a container in the machine's own network and among its
// processes, so that it is found, asked and signalled like the program.
import { randomBytes } from 'node:crypto'
import type { Docker } from './client.js'
import { EngineError, isEngineError } from './errors.js'

/** Any 2.4 or newer with `haproxy` on its PATH would do. */
export const haproxyImage = 'docker.io/library/haproxy:2.8-alpine'

/** `directory`: of configuration, sockets and pid file, mounted at the same path. One name on an engine, one HAProxy. */
export function haproxyContainer(docker: Docker, directory: string, name: string) {
  const hostConfig = {
    NetworkMode: 'host',
    // With pids of its own it would write numbers into its pid file that mean nothing outside.
    PidMode: 'host',
    Mounts: [{ Type: 'bind', Source: directory, Target: directory }],
    SecurityOpt: ['label=disable'],
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
  }
  const labels = { 'slipway.haproxy': name }
  return {
    async check(file: string): Promise<void> {
      const { exitCode, said } = await runOnce(docker, { Cmd: ['-c', '-q', '-f', file], HostConfig: hostConfig })
      if (exitCode !== 0) throw new Error(said)
    },
    async start(args: readonly string[]): Promise<number> {
      await docker.containers.remove(name)
      await ensureHaproxyImage(docker)
      const { Id } = await docker.containers.create(name, { ...bodyOf(args), Labels: labels, HostConfig: hostConfig })
      await docker.containers.start(Id)
      return (await docker.containers.inspect(Id)).State.Pid
    },
    lastWords: async (): Promise<string> => `(container ${name}):\n${await logOf(docker, name).catch(String)}`,
    remove: (): Promise<void> => docker.containers.remove(name),
  }
}

/** Pulled where it is missing. Throws EngineError where no registry gives it. */
export async function ensureHaproxyImage(docker: Docker, signal?: AbortSignal): Promise<void> {
  if (await hasHaproxyImage(docker, signal)) return
  try {
    await docker.images.pull(haproxyImage, null, () => {}, signal)
  } catch (error) {
    if (!isEngineError(error)) throw error
    const said = `haproxy is not on the PATH, and its image cannot be pulled (${error.said}): install haproxy (apt-get install haproxy)`
    throw new EngineError(`looking for ${haproxyImage}`, error.kind, error.status, said, error)
  }
}

export async function hasHaproxyImage(docker: Docker, signal?: AbortSignal): Promise<boolean> {
  try {
    await docker.images.inspect(haproxyImage, signal)
    return true
  } catch (error) {
    if (isEngineError(error, 'notFound')) return false
    throw error
  }
}

/** `2.8.3`, by its own word: shows as well that the image runs here. */
export async function haproxyImageVersion(docker: Docker): Promise<string> {
  const { said } = await runOnce(docker, { Cmd: ['-v'], HostConfig: { NetworkMode: 'none' } })
  const version = /version (\d+(?:\.\d+)+)/.exec(said)?.[1]
  if (version === undefined) throw new Error(`${haproxyImage} holds no HAProxy that runs here: ${said}`)
  return version
}

/** Root, as it listens on low ports and writes into our directory; its workers give that away. */
function bodyOf(args: readonly string[]): Record<string, unknown> {
  return { Image: haproxyImage, Entrypoint: ['haproxy'], Cmd: args, User: '0' }
}

async function runOnce(
  docker: Docker,
  body: { readonly Cmd: readonly string[]; readonly HostConfig: object },
): Promise<{ readonly exitCode: number; readonly said: string }> {
  await ensureHaproxyImage(docker)
  const name = `slipway-haproxy-once-${randomBytes(6).toString('hex')}`
  const { Id } = await docker.containers.create(name, { ...bodyOf(body.Cmd), HostConfig: body.HostConfig })
  try {
    await docker.containers.start(Id)
    const { StatusCode } = await docker.containers.wait(Id, AbortSignal.timeout(30_000))
    return { exitCode: StatusCode, said: await logOf(docker, Id) }
  } finally {
    await docker.containers.remove(Id)
  }
}

async function logOf(docker: Docker, id: string): Promise<string> {
  const lines: string[] = []
  for await (const { text } of docker.containers.logs(id, { tail: 5 })) lines.push(text)
  return lines.join('\n')
}
