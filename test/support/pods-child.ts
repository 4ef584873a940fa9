// A runtime's pods in a process of their own, to be killed: makes the one pod it is given and says when that is ready.
import { createPods } from '../../runtime/pods/pods.js'
import type { PodRecord } from '../../runtime/pods/types.js'
import { testDocker } from './images.js'
import { type RoomParts, roomWorld } from './pods.js'

const given = JSON.parse(process.argv[2]!) as Omit<RoomParts, 'podAddress' | 'releaseAddress'> & { ip: string; record: PodRecord }
const world = roomWorld(testDocker(), { ...given, podAddress: () => given.ip, releaseAddress: () => undefined })
const pods = createPods(world)
pods.onChange(() => {
  for (const view of pods.list()) process.stdout.write(`${view.ready ? 'ready' : view.phase}\n`)
})
await pods.adopt(AbortSignal.timeout(20_000))
pods.create(given.record)
