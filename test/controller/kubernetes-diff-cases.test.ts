// Argo CD's own cases of client-side diff on a real API server: what they are to find is what an apply of ours changes. Who wrote what
// there is as kubectl would have it: what `last-applied` names is kubectl's, the rest somebody else's.
import t from 'tap'
import type { Application } from '../../controller/application.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { application } from '../support/controller.js'
import { type Given, openField } from '../support/kubernetes/field.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'
import { conformance } from '../support/reference.js'

const missing = await noKubernetes()
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(300_000)

interface Case {
  readonly name: string
  readonly kind: string
  readonly config: Manifest | null
  readonly live: Manifest | null
  readonly options?: { readonly ignoreDifferences?: readonly (readonly string[])[] }
  readonly expected: { readonly modified: boolean }
}

/** Of which no API server can be asked, or which is otherwise here: why. */
const leftOut: Readonly<Record<string, string>> = {
  'TestDiffWithNils/three-way, no config': 'there is nothing to compare',
  'TestDiffWithNils/three-way, no live': 'there is nothing to compare',
  'TestDiffWithNils/two-way, no config': 'there is nothing to compare',
  'TestDiffWithNils/two-way, no live': 'there is nothing to compare',
  TestInvalidSecretStringData: 'there is nothing to compare',
  'TestDiff_KnownTypeInvalidValue/NoDifference': 'no server takes such an object',
  'TestDiff_KnownTypeInvalidValue/HasDifference': 'no server takes such an object',
  TestDiffNilFieldInLive: 'no server takes such an object',
  TestThreeWayDiffExample2: 'no server takes such an object',
  TestThreeWayDiffExample2WithDifference: 'no server takes such an object',
  TestThreeWayDiffExample4: 'of a version that no server has any more',
  TestNullCreationTimestamp: 'of a kind whose definition is not here',
  TestIgnoreNamespaceForClusterScopedResources: 'of a kind whose definition is not here',
  'TestDiffOptionIgnoreAggregateRoles/true': "the cluster's own controller fills the rules of such a role while we look",
  'TestDiffOptionIgnoreAggregateRoles/false': 'the same',
  TestDiffResourceWithInvalidField: 'refused before anything is written: kubernetes-apply.test',
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'
const known = conformance<Case>('diff/argocd.json')
const real = await startKubernetes(t)
const given = openField(real)

/** In a namespace of ours, in a version that is served. */
function movedHere(object: Manifest, one: Given, count: number): Manifest {
  const { name, labels, annotations } = object.metadata
  const { status: _, ...rest } = object
  const place = object.kind === 'ClusterRole' ? { name: `case-${count}` } : { name, namespace: one.namespace }
  const metadata = { ...place, ...(labels == null ? {} : { labels }), ...(annotations == null ? {} : { annotations }) }
  return { ...rest, apiVersion: object.apiVersion.replace('apps/v1beta1', 'apps/v1'), metadata } as Manifest
}

function pathOf({ apiVersion, kind, metadata }: Manifest): string {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const plural = kind === 'Endpoints' ? 'endpoints' : `${kind.toLowerCase()}s`
  return metadata.namespace === undefined ? `${base}/${plural}` : `${base}/namespaces/${metadata.namespace}/${plural}`
}

/** What kubectl applied first, then what became of it. */
async function put(live: Manifest, one: Given, count: number): Promise<string> {
  const at = pathOf(live)
  const text = live.metadata.annotations?.[lastApplied]
  const first = text === undefined ? live : movedHere(JSON.parse(text) as Manifest, one, count)
  await real.call('POST', `${at}?fieldManager=${text === undefined ? 'others' : 'kubectl-client-side-apply'}`, first)
  if (text !== undefined) await real.call('PUT', `${at}/${live.metadata.name}?fieldManager=others`, live)
  return `${at}/${live.metadata.name}`
}

function contentOf({ status: _, metadata, ...rest }: Manifest): unknown {
  const own = Object.entries(metadata.annotations ?? {}).filter(
    ([name]) => !/(kubernetes\.io|argoproj\.io|slipway\.dev)\//.test(name),
  )
  return { ...rest, labels: metadata.labels, annotations: own }
}

function ignoring(options: Case['options']): Partial<Application> {
  const jsonPointers = (options?.ignoreDifferences ?? []).map(path => `/${path.join('/')}`)
  if (jsonPointers.length === 0) return {}
  const rule = { group: '*', kind: '*', name: '', namespace: '', jsonPointers, jqPathExpressions: [], managedFieldsManagers: [] }
  return { ignoreDifferences: [rule], sync: { ...application().sync, options: ['RespectIgnoreDifferences=true'] } }
}

t.test(
  'what a client-side diff is to find, an apply changes, and nothing else',
  { skip: known === null && "ARGO CD'S CASES OF A DIFF ARE NOT RUN HERE: ../shared is missing" },
  async t => {
    const own = (known ?? []).filter(({ kind }) => kind === 'three-way' || kind === 'two-way')
    t.equal(own.length, 35)
    for (const [count, { name, config, live, options, expected }] of own.entries()) {
      if (leftOut[name] !== undefined || config === null || live === null) {
        t.ok(leftOut[name], `${name}: ${leftOut[name]}`)
        continue
      }
      const one = await given(t, ignoring(options))
      const at = await put(movedHere(live, one, count), one, count)
      const before = contentOf(await real.call('GET', at))
      await one.apply([movedHere(config, one, count)])
      const after = contentOf(await real.call('GET', at))
      const isModified = JSON.stringify(after) !== JSON.stringify(before)
      t.equal(isModified, expected.modified, name, { before, after })
    }
  },
)
