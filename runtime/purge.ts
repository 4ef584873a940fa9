// Ends everything that this node runs and takes it away: containers, data plane, addresses. Volumes only when asked.
import { rm } from 'node:fs/promises'
import type { Docker } from './docker/client.js'
import { isEngineError } from './docker/errors.js'
import type { ContainerListed } from './docker/shapes.js'
import type { DataPlane } from './network/types.js'
import { sandboxName } from './pods/body.js'

export interface PurgeWorld {
  readonly docker: Docker
  readonly dataPlane: Pick<DataPlane, 'purge'>
  /** The label value that our containers carry. */
  readonly instance: string
  /** Directories of pods' volumes. */
  readonly directories: readonly string[]
}

/** Says what was removed, a line each. */
export async function purge(world: PurgeWorld, volumes: boolean, signal: AbortSignal): Promise<readonly string[]> {
  const containers = await world.docker.containers.list([`slipway.node=${world.instance}`], signal)
  // Podman keeps a container that others have joined: those first.
  const [joining, joined] = [containers.filter(each => !holdsPod(each)), containers.filter(holdsPod)]
  for (const some of [joining, joined]) await Promise.all(some.map(({ Id }) => gone(world.docker.containers.remove(Id, signal))))
  await world.dataPlane.purge()
  for (const directory of world.directories) await rm(directory, { recursive: true, force: true })
  const claims = await world.docker.volumes.list([`slipway.node=${world.instance}`], signal)
  if (volumes) for (const { Name } of claims) await gone(world.docker.volumes.remove(Name, signal))
  return [
    `${containers.length} containers removed`,
    'data plane and addresses removed',
    ...(claims.length === 0
      ? []
      : [
          volumes
            ? `${claims.length} volumes removed`
            : `volumes kept: ${claims.map(({ Name }) => Name).join(', ')} (--volumes removes them)`,
        ]),
  ]
}

function holdsPod({ Labels }: ContainerListed): boolean {
  return Labels?.['slipway.container'] === sandboxName
}

async function gone(removing: Promise<void>): Promise<void> {
  try {
    await removing
  } catch (error) {
    if (!isEngineError(error, 'notFound')) throw error
  }
}
