// Images for tests, made on the spot from the machine's static busybox: no registry is asked.
import { connectDocker, type Docker } from '../../runtime/docker/client.js'
import { busyboxArchive, type TestImage } from './archive.js'
import { testEngine } from './engine.js'

export { busyboxArchive, type TestImage } from './archive.js'

/** The engine that tests use, connected. */
export function testDocker(): Docker {
  return connectDocker(testEngine.host)
}

/** Loads it into the engine; gives the image's id. */
export async function loadBusybox(docker: Docker, image: TestImage): Promise<string> {
  const { id, archive } = busyboxArchive(image)
  await docker.images.load(archive)
  return id
}
