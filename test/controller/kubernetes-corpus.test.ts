// Phantom differences: public charts, as the real helm renders them, applied to a real API server. A controller that knows nothing
// then finds each object as it was applied, and applying again writes nothing. In `npm test` a sample; with SLIPWAY_CORPUS=charts one
// render of each chart, with SLIPWAY_CORPUS=all every one, else those with that in their id.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { inParallel } from '../../controller/cluster/kubernetes/write.js'
import { ordinaryObjects } from '../../controller/release/sent.js'
import { completeObjects } from '../../controller/render/objects.js'
import { readManifests } from '../../renderer/chart/manifests.js'
import { defaultLimits, RenderFault } from '../../renderer/index.js'
import { manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, refKey, refOf, refText } from '../../runtime/contract/manifest.js'
import { until } from '../support/controller.js'
import { type Given, openField, preflight, release } from '../support/kubernetes/field.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { referenceDir } from '../support/reference.js'

const missing = await noKubernetes()
const corpus = referenceDir('corpus')
if (missing !== false || corpus === null) {
  t.plan(0, missing === false ? 'SKIPPED: the chart corpus (../shared/corpus) is not here' : missing)
  process.exit(0)
}

interface CorpusCase {
  readonly id: string
  readonly chart: string
  readonly golden?: string
}

const wanted = process.env.SLIPWAY_CORPUS ?? 'sample'
/** Definitions, roles, webhooks, a policy and several workloads. */
const sample = ['cert-manager-v0.0.0--hand-prod']

t.setTimeout(wanted === 'sample' ? 240_000 : 7_200_000)
const real = await startKubernetes(t)
const given = openField(real)
const signal = new AbortController().signal
const rendered = (JSON.parse(readFileSync(join(corpus, 'cases.json'), 'utf8')) as readonly CorpusCase[]).filter(
  one => one.golden !== undefined,
)
const firstOf = (one: CorpusCase) => rendered.find(({ chart }) => chart === one.chart)
const cases = rendered.filter(one => {
  if (wanted === 'sample') return sample.includes(one.id)
  return wanted === 'all' || (wanted === 'charts' ? firstOf(one) === one : one.id.includes(wanted))
})
/** One golden is often another's, word for word. */
const done = new Set<string>()
const resources = new Map<string, Promise<string | null>>()
const counts = { charts: 0, objects: 0, refused: 0 }

for (const one of cases) {
  const text = gunzipSync(readFileSync(join(corpus, one.golden!))).toString()
  if (done.has(text)) continue
  done.add(text)
  await t.test(one.id, async t => {
    const app = await given(t)
    const objects = objectsOf(text, app.namespace)
    if (objects === null) return t.pass('no manifests that an API server would take')
    try {
      const [taken, refused] = await provable(app, objects)
      await app.apply(taken)
      await settled(app, taken)
      const next = await app.restarted()
      const seen = await until('the next controller has looked', async () => {
        const observed = await next.cluster.observe(next.app, signal)
        return observed.silent === null ? observed : null
      })
      const live = new Map(seen.objects.map(object => [refKey(object.ref), object]))
      const different = taken.filter(object => live.get(refKey(refOf(object)))?.hash !== manifestHash(object))
      const again = await next.apply(taken, 2)

      t.same(
        different.map(object => [refText(refOf(object)), live.get(refKey(refOf(object)))?.drift ?? 'not seen']),
        [],
        `${taken.length} objects are as they were applied`,
      )
      t.same(
        again.filter(({ result }) => result !== 'unchanged').map(({ ref, result, message }) => [refText(ref), result, message]),
        [],
        'nothing is written again',
      )
      counts.charts += 1
      counts.objects += taken.length
      counts.refused += refused
    } finally {
      await swept(objects)
      await real.call('DELETE', `/api/v1/namespaces/${app.namespace}`)
    }
  })
}
t.comment(`${counts.charts} renders, ${counts.objects} objects; ${counts.refused} that this API server does not take`)

/** null where Slipway would hold it: names and fields that no API server takes. */
function objectsOf(text: string, namespace: string): readonly Manifest[] | null {
  const placed = text.replaceAll(/namespace: "?demo"?$/gm, `namespace: ${namespace}`)
  try {
    const completed = completeObjects(readManifests({ file: 'golden.yaml', text: placed, limits: defaultLimits }), namespace)
    return 'reason' in completed ? null : ordinaryObjects(release(completed.objects))
  } catch (error) {
    if (error instanceof RenderFault) return null
    throw error
  }
}

/** Those that a preflight takes: old charts name kinds and fields that are no more. */
async function provable(app: Given, objects: readonly Manifest[]): Promise<readonly [readonly Manifest[], number]> {
  const answer = await preflight(app, objects)
  const refused = new Set(answer.problems.map(({ object }) => refKey(object)))
  return [objects.filter(object => !refused.has(refKey(refOf(object)))), refused.size]
}

/** Controllers have written what they write: nothing was changed for a moment. */
async function settled(app: Given, objects: readonly Manifest[]): Promise<void> {
  const stamp = async () => {
    const { objects: seen } = await app.cluster.observe(app.app, signal)
    return JSON.stringify(seen.map(object => [object.live, object.status]))
  }
  let before = await stamp()
  await until(`${objects.length} objects rest`, async () => {
    await new Promise(resolve => setTimeout(resolve, 400))
    const now = await stamp()
    const rests = now === before
    before = now
    return rests
  })
}

/** What is the whole cluster's stands in the way of the next, webhooks that nobody answers above all. */
async function swept(objects: readonly Manifest[]): Promise<void> {
  const first = (object: Manifest) => (/Webhook|Policy/.test(object.kind) ? 0 : object.kind === 'APIService' ? 1 : 2)
  const cluster = objects.filter(({ metadata }) => metadata.namespace === undefined)
  for (const rank of [0, 1, 2])
    await inParallel(
      cluster.filter(object => first(object) === rank),
      12,
      async object => {
        const resource = await resourceOf(object)
        if (resource !== null) await real.call('DELETE', `${resource}/${object.metadata.name}`).catch(() => {})
      },
    )
}

function resourceOf({ apiVersion, kind }: Manifest): Promise<string | null> {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const known = resources.get(`${root}/${kind}`)
  if (known !== undefined) return known
  const found = real
    .call('GET', root)
    .then(({ resources: all }) => all.find((one: { kind: string; name: string }) => one.kind === kind && !one.name.includes('/')))
    .then(one => (one === undefined ? null : `${root}/${one.name}`))
    .catch(() => null)
  resources.set(`${root}/${kind}`, found)
  return found
}
