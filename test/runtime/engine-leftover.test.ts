// An engine that was killed in the middle of a start knows its container as never started, while it runs: it is started all the same, once.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isLeftOver } from '../../runtime/docker/leftover.js'
import type { PodView } from '../../runtime/pods/types.js'
import { waitUntil } from '../support/machine.js'
import { startOwnEngine } from '../support/own-engine.js'
import { ownMachine } from '../support/own-machine.js'
import { podRecord, podRoom, script, until } from '../support/pods.js'

t.test('what an engine says of a container that it lost track of', async t => {
  const rows: readonly (readonly [string, boolean])[] = [
    ['id already in use', true],
    ['task 0ac7b49e416b: task 0ac7b49e416b: already exists', true],
    ['runc create failed: container with given ID already exists: unknown', true],
    ['Conflict. The container name "/web" is already in use by container "0ac7"', false],
    ['failed to set up container networking: Address already in use', false],
  ]
  for (const [said, is] of rows) t.equal(isLeftOver(said), is, said)
})

await ownMachine(t, import.meta.url, async () => {
  await t.test('a container that the engine lost in the middle of its start runs again, once', async t => {
    const engine = await startOwnEngine(t, { liveRestore: false })
    const room = await podRoom(engine.host)
    t.teardown(() => room.close())
    const record = podRecord('web', { containers: [script(room.image, 'exec sleep 1000')] })
    const before = room.open()
    before.create(record)
    const runs = (pod: PodView) => pod.containers.some(each => each.state.state === 'running')
    await until(before, record.uid, runs)
    const id = (await room.world.docker.containers.list([`slipway.pod-uid=${record.uid}`]))[0]!.Id
    const pid = (await room.world.docker.containers.inspect(id)).State.Pid
    await before.close()
    for (const name of readdirSync(join(room.dir, 'pods'))) rmSync(join(room.dir, 'pods', name))

    await engine.end('SIGKILL')
    asBeforeItsStart(engine.directory, id)
    await engine.start()
    t.equal((await room.world.docker.containers.inspect(id)).State.Status, 'created')
    t.ok(sleeping().includes(pid), 'and its process runs')
    const after = room.open()
    after.create(record)
    await until(after, record.uid, runs)

    await waitUntil('it sleeps', 10_000, () => sleeping().some(other => other !== pid))
    t.equal(sleeping().length, 1)
    t.notOk(sleeping().includes(pid))
  })
})

/** As the engine had noted it when it was killed. */
function asBeforeItsStart(directory: string, id: string): void {
  const file = join(directory, 'data/containers', id, 'config.v2.json')
  const noted = JSON.parse(readFileSync(file, 'utf8')) as { State: object }
  const State = { ...noted.State, Running: false, Pid: 0, StartedAt: '0001-01-01T00:00:00Z' }
  writeFileSync(file, JSON.stringify({ ...noted, State, HasBeenStartedBefore: false }))
}

function sleeping(): readonly number[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids.filter(pid => commandOf(pid) === 'sleep 1000').map(Number)
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
  } catch {
    return ''
  }
}
