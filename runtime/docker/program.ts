// One static program out of an image, for running it on this machine: how a nats-server is had where only a registry answers.
import { randomBytes } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import type { Docker } from './client.js'
import { isEngineError } from './errors.js'
import { firstFile } from './tar.js'

/** Images whose program is static, and where it lies in them. */
export const natsImage = { image: 'docker.io/library/nats:2.12', path: '/nats-server' } as const

/** Puts the program at `target` (0755). The image is pulled where it is missing. Throws EngineError where no registry gives it. */
export async function programFromImage(
  docker: Docker,
  from: { readonly image: string; readonly path: string },
  target: string,
  signal: AbortSignal,
): Promise<void> {
  await docker.images.inspect(from.image, signal).catch(async error => {
    if (!isEngineError(error, 'notFound')) throw error
    await docker.images.pull(from.image, null, () => {}, signal)
  })
  const { Id } = await docker.containers.create(
    `slipway-program-${randomBytes(6).toString('hex')}`,
    { Image: from.image, Cmd: ['-'] },
    signal,
  )
  try {
    const program = firstFile(await docker.containers.getArchive(Id, from.path, signal))
    if (program === null) throw new Error(`${from.image} has no program at ${from.path}`)
    await writeFile(`${target}.new`, program, { mode: 0o755 })
    await rename(`${target}.new`, target)
  } finally {
    await docker.containers.remove(Id)
  }
}
