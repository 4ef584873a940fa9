// Keeps one pod's newest state on disk: one write at a time, what comes meanwhile in the next.
import type { PodLife } from './life.js'
import type { PodWorld } from './world.js'

export interface Keeper {
  /** The first, durable write of a new pod: no container is made before it. Tried again by calling again. */
  first(life: PodLife): Promise<void>
  save(life: PodLife): void
  /** Resolves when all is written. */
  flush(): Promise<void>
  /** Takes the pod off the disk; nothing is written after it. */
  forget(uid: string): Promise<void>
}

export function makeKeeper(world: Pick<PodWorld, 'store' | 'log'>): Keeper {
  let next: PodLife | null = null
  let writing: Promise<void> | null = null
  let gone = false
  const write = async (): Promise<void> => {
    while (next !== null && !gone) {
      const life = next
      next = null
      await world.store.save(life).catch(error => world.log.warn({ uid: life.record.uid, error: String(error) }, 'pod not saved'))
    }
    writing = null
  }
  return {
    first: life => world.store.save(life, true),
    save: life => {
      next = life
      writing ??= write()
    },
    flush: async () => {
      await writing
    },
    forget: uid => {
      gone = true
      return world.store.remove(uid)
    },
  }
}
