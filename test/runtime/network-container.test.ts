// The data plane where the machine has no haproxy of its own: the same, with HAProxy out of its image.
import { basename } from 'node:path'
import t from 'tap'
import { haproxyContainer, haproxyImage, haproxyImageVersion, hasHaproxyImage } from '../../runtime/docker/haproxy.js'
import { sendSignal } from '../../runtime/network/detached.js'
import { findHaproxy } from '../../runtime/network/find-haproxy.js'
import { haproxyArchive } from '../support/haproxy-image.js'
import { testDocker } from '../support/images.js'
import { startLoad } from '../support/load.js'
import { endpoint, httpPod, service, state, testPlane } from '../support/network.js'

const signal = AbortSignal.timeout(100_000)
const docker = testDocker()
const local = await findHaproxy(process.env)
const before = await hasHaproxyImage(docker)
t.teardown(async () => {
  if (!before && (await hasHaproxyImage(docker))) await docker.images.remove(haproxyImage)
  await docker.close()
})
if (!before && local !== null) await docker.images.load(haproxyArchive(local.path, haproxyImage))

t.test('the version is asked of the image', { skip: local === null && !before }, async t => {
  t.match(await haproxyImageVersion(docker), before ? /^\d+\.\d+/ : local?.version)
})

t.test(
  'HAProxy out of its image is steered, reloaded, found again and replaced like the program',
  { skip: local === null && !before },
  async t => {
    const { plane, again, stateDir, end } = testPlane({ haproxyPath: '' }, dir => haproxyContainer(docker, dir, basename(dir)))
    t.teardown(end)
    const [old, next] = [await httpPod(), await httpPod()]
    t.teardown(() => Promise.all([old.end(), next.end()]))

    await plane.start(signal)
    await plane.apply(state([service('web')], [endpoint('web', old)]), signal)
    const load = startLoad(plane.clusterIP('shop', 'web'), 80, 4)
    const { State } = await docker.containers.inspect(basename(stateDir))
    await plane.apply(state([service('web')], [endpoint('web', next), endpoint('web', old, { state: 'draining' })]), signal)
    await plane.drained(old.ip, 30_000, signal)
    await plane.apply(state([service('web'), service('other')], [endpoint('web', next)]), signal)
    const other = again()
    await other.start(signal)
    await other.apply(state([service('web'), service('other')], [endpoint('web', next)]), signal)
    await load.stop()
    t.equal((await docker.containers.inspect(basename(stateDir))).State.Pid, State.Pid, 'adopted, reloaded in place')
    t.same(load.failed, [])
    t.ok(load.ok.length > 0)
    t.equal(await body(`http://${plane.clusterIP('shop', 'web')}/`), next.ip)

    sendSignal(State.Pid, 'SIGKILL')
    while ((await body(`http://${plane.clusterIP('shop', 'web')}/`)) !== next.ip)
      await new Promise(resolve => setTimeout(resolve, 100))
    t.not((await docker.containers.inspect(basename(stateDir))).State.Pid, State.Pid, 'started again')

    await other.purge()
    const left = () => docker.containers.list([`slipway.haproxy=${basename(stateDir)}`])
    for (const deadline = Date.now() + 20_000; Date.now() < deadline && (await left()).length > 0; )
      await new Promise(resolve => setTimeout(resolve, 100))
    t.same(await left(), [])
  },
)

function body(url: string): Promise<string> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    answer => answer.text(),
    error => String(error),
  )
}
