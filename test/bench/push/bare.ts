// What there is no way around: the engine creates and starts one container of the image, until its first 200. Nothing of ours takes part.
import { connectDocker } from '../../../runtime/docker/client.js'
import { image, port } from './image.js'
import { firstAnswer } from './traffic.js'

/** ms from the call that creates it to its first 200, on the engine's default network. */
export async function bareStart(engine: string, version: string, signal: AbortSignal): Promise<number> {
  const docker = connectDocker(engine)
  const name = `${image.split('/')[0]}-${version}`
  try {
    const began = performance.now()
    const { Id } = await docker.containers.create(name, { Image: image, Env: [`VERSION=${version}`] }, signal)
    await docker.containers.start(Id, signal)
    const networks = (await docker.containers.inspect(Id, signal)).NetworkSettings.Networks
    const ip = Object.values(networks ?? {})[0]?.IPAddress ?? ''
    await firstAnswer(`http://${ip}:${port}/`, version, 30_000, signal)
    return performance.now() - began
  } finally {
    await docker.containers.remove(name)
    await docker.close()
  }
}
