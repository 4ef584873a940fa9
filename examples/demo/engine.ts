// Gives images to the engine that `slipway up` found or started: its record says where that is.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectDocker } from '../../runtime/docker/client.js'

/** The engine's address as `slipway up` wrote it down. */
export function engineOf(home: string): string {
  return (JSON.parse(readFileSync(join(home, 'run', 'up.json'), 'utf8')) as { engine: string }).engine
}

export async function loadImage(home: string, archive: Buffer): Promise<void> {
  const docker = connectDocker(engineOf(home))
  await docker.images.load(archive, AbortSignal.timeout(60_000))
  await docker.close()
}
