// Argo CD's own cases on order, waves, hooks and back-off, as data. Kinds of cases that have a counterpart here run whole;
// what we decided otherwise is pinned by name with its reason, and must differ.
import { existsSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { parseApplication } from '../../controller/application.js'
import { outgoing, trackedBy, trackingAnnotation } from '../../controller/cluster/kubernetes/seen.js'
import { newLedger, type Phase } from '../../controller/ledger.js'
import { deletePolicies, hookPhases, hookTypes, isHook, isSkipped, waveOf } from '../../controller/release/hooks.js'
import { optionsAnnotation, ownOptions } from '../../controller/release/options.js'
import { type DeletionInput, deletionStage } from '../../controller/sync/deletion.js'
import { inOrder, kindOrder } from '../../controller/sync/order.js'
import { retryAfter } from '../../controller/sync/retry.js'
import { type Manifest, type ObjectRef, refOf } from '../../runtime/contract/manifest.js'
import { ana, application, configMap, conformance, release } from './builders.js'

interface Case {
  readonly name: string
  readonly kind: string
  readonly object: Manifest
  readonly annotations: Readonly<Record<string, string>>
  readonly hook: string
  readonly type: string
  readonly value: string
  readonly kinds: readonly string[]
  readonly strategy: object
  readonly retries: number
  readonly waves: readonly string[]
  readonly phase: string
  readonly policy: string
  readonly operation: string | null
  readonly objects: readonly Partial<Manifest>[]
  readonly spec: object
  readonly tasks: readonly { readonly phase: Phase; readonly object: Manifest }[]
  readonly annotation: string | null
  readonly option: string
  readonly options: readonly string[] | null
  readonly app: string
  readonly expected: unknown
}

function annotated(key: string, value: string): Manifest {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', annotations: { [key]: value } } }
}

function whole(object: Partial<Manifest>): Manifest {
  return { apiVersion: 'v1', kind: '', ...object, metadata: { name: '', ...object.metadata } }
}

function parsed(syncPolicy: object, spec: object = {}) {
  const source = { repoURL: 'http://git.test/a.git', path: '.' }
  const manifest = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata: { name: 'a' } }
  const declared = { uid: 'u', parent: null, defaultNode: 'n', readYaml: () => ({}) }
  const { application, faults } = parseApplication({ ...manifest, spec: { source, syncPolicy, ...spec } }, declared)
  if (application === null) throw new Error(JSON.stringify(faults))
  return application
}

function ordered(tasks: Case['tasks']): readonly number[] {
  const all = tasks.map((task, index) => ({
    phase: task.phase,
    wave: waveOf(whole(task.object)),
    object: whole(task.object),
    index,
  }))
  return inOrder(all).map(one => one.index)
}

/** Of what is asked: a case names only the fields that its suite asserts. */
function hookFacts(one: Case): unknown {
  const object = whole(one.object)
  const facts = { hook: isHook(object), skip: isSkipped(object), types: hookTypes(object) }
  return Object.fromEntries(Object.keys(one.expected as object).map(key => [key, facts[key as keyof typeof facts]]))
}

/** The objects that a deletion ends first, by their waves. */
function endedFirst(waves: readonly string[]): readonly string[] {
  const objects = waves.map((wave, index) =>
    configMap(`o${index}`, 'x', { annotations: { 'argocd.argoproj.io/sync-wave': wave } }),
  )
  const whole = release(...objects)
  const owned = objects.map(refOf)
  const current = { release: whole.id, owned, pruning: [], hookRuns: [], createdBy: {}, staying: {} }
  const ledger = { ...newLedger({ name: 'a', uid: 'u' }, 'node/n', 's'), current, deletion: { by: ana, at: 0, cascade: true } }
  const observed = { ordered: null, obeyed: null, silent: null, objects: [] }
  const input = { app: application(), ledger, observed, releases: () => whole, now: 1 } as unknown as DeletionInput
  const stage = deletionStage(input)
  const refs = stage.kind === 'prune' ? stage.refs : owned
  return refs.map(({ name }) => waves[Number(name.slice(1))]!)
}

const syncPhases: readonly string[] = ['PreSync', 'Sync', 'PostSync', 'SyncFail']

/** What of these objects a sync looks at, and whether a deletion has hooks. */
function partition(objects: readonly Partial<Manifest>[]): unknown {
  const all = objects.map(whole)
  const has = (phase: Phase) => all.some(object => hookPhases(object).includes(phase))
  const isSynced = (object: Manifest) => !isHook(object) || hookPhases(object).some(phase => syncPhases.includes(phase))
  return {
    sync: all.filter(isSynced).map(object => object.metadata.name),
    preDelete: has('PreDelete'),
    postDelete: has('PostDelete'),
  }
}

const policies: Readonly<Record<string, string>> = { Succeeded: 'HookSucceeded', Failed: 'HookFailed' }

const answers: Readonly<Record<string, (one: Case) => unknown>> = {
  wave: one => waveOf(whole(one.object)),
  'kind-order': () => kindOrder,
  hook: hookFacts,
  'helm-hook-phase': one => hookPhases(annotated('helm.sh/hook', one.hook))[0] ?? null,
  'delete-policies': one => deletePolicies(whole(one.object)),
  'helm-delete-policy': one => deletePolicies(annotated('helm.sh/hook-delete-policy', one.value))[0] ?? null,
  'hook-of-type': one => hookPhases(whole({ metadata: { name: 'x', annotations: one.annotations } })).includes(one.type as never),
  order: one => ordered(one.tasks),
  steps: ({ tasks }) => {
    const all = inOrder(tasks.map(({ phase, object }) => ({ phase, wave: waveOf(whole(object)), object: whole(object) })))
    const [first, last] = [all[0]!, all.at(-1)!]
    const multiStep = first.phase !== last.phase || first.wave !== last.wave
    return { phase: first.phase, wave: first.wave, lastPhase: last.phase, lastWave: last.wave, multiStep }
  },
  retry: ({ strategy, retries }) => {
    const { retry } = parsed({ retry: { limit: -1, ...strategy } }).sync
    return { afterSeconds: (retryAfter(retry!, retries) ?? 0) / 1000 }
  },
  'delete-next': one => endedFirst(one.waves),
  phases: one => (isHook(whole(one.object)) || isSkipped(whole(one.object)) ? hookPhases(whole(one.object)) : ['Sync']),
  'helm-hook': one => isHook(whole(one.object)),
  'is-hook': one => isHook(whole({ metadata: { name: 'x', annotations: one.annotations } })),
  ignore: one => isSkipped(whole(one.object)) || (isHook(whole(one.object)) && hookPhases(whole(one.object)).length === 0),
  'parse-hook-type': one => hookTypes(annotated('argocd.argoproj.io/hook', one.value))[0] ?? null,
  'parse-delete-policy': one => {
    const [policy] = deletePolicies(annotated('argocd.argoproj.io/hook-delete-policy', `${one.value},HookFailed`))
    return policy === 'HookFailed' && one.value !== 'HookFailed' ? null : policy
  },
  'hook-type-of-task': one => (isHook(whole(one.object)) ? one.phase : null),
  'has-delete-policy': one => isHook(whole(one.object)) && deletePolicies(whole(one.object)).includes(one.policy),
  'delete-on-completion': one =>
    isHook(whole(one.object)) && deletePolicies(whole(one.object)).includes(policies[one.operation ?? ''] ?? '?'),
  partition: one => partition(one.objects),
  'csv-option-value': one => ownOptions(annotated(optionsAnnotation, one.annotation ?? '')).get(one.option) ?? null,
  // Every option has a value here: one that is said is one that has it.
  'csv-option': one => {
    const said = (one.annotation ?? '').split(',').map(name => (name.trim() === '' ? '' : `${name}=x`))
    return ownOptions(annotated(optionsAnnotation, said.join(','))).has(one.option)
  },
  // Tracked by annotation, whatever the method: what an installation with labels reads is there too.
  track: one => ({ app: trackedBy(outgoing(whole(one.object), one.app, 1, 'x')) }),
  'app-of': one => trackedBy(whole(one.object)),
  'parse-tracking-id': ({ value, expected }) => {
    const { group, kind, namespace, name } = (expected ?? { group: '', kind: 'Pod', namespace: 'x', name: 'y' }) as ObjectRef
    const metadata = { name, namespace, annotations: { [trackingAnnotation]: value } }
    const app = trackedBy({ apiVersion: group === '' ? 'v1' : `${group}/v1`, kind, metadata })
    return app === '' ? null : { app, group, kind, namespace, name }
  },
  'history-limit': one => parsed({}, one.spec).revisionHistoryLimit,
}

/** Kinds that ask of ways of theirs that are none of ours, each with the reason. */
const elsewhere: Readonly<Record<string, string>> = {
  'prune-waves': 'pruning comes after health, all of it at once, not among the waves',
  'prune-last-wave': 'pruning comes after health in any case',
  'delete-before-creation': 'a hook is named from its attempt: none of that name is there',
  'create-delete-hook': 'a hook of a deletion is named from its attempt: found by name, whatever its annotations',
  'running-message': 'the sentences are ours (views.test)',
  'sync-options-has': 'a set of theirs',
  'sync-options-add': 'a set of theirs',
  'sync-options-remove': 'a set of theirs',
  'sync-policy-empty': 'nothing depends on whether a policy is written as empty or not at all',
  'history-truncate': 'good releases and attempts are kept by count in the ledger, not as a list of revisions',
  'tracking-moved':
    'how their caches make labels and annotations one: here the annotation alone says whose an object is (seen.ts)',
  untrack: 'a patch of the live object: what marks it ours is taken away on a real server (kubernetes-cluster.test)',
  'truncate-label': 'no label is written',
}

const decided: Readonly<Record<string, string>> = {
  TestSetAppInstanceAnnotationAndLabelLongName: 'no label is written',
  TestSetAppInstanceAnnotationAndLabelLongNameBadEnding: 'no label is written',
  TestSetAppInstanceAnnotationAndLabelOutOfBounds: 'no label is written',
  TestSyncTasksSort_NamespaceAndObjectInNamespace:
    'one moment is sorted by kind throughout: both namespaces, then what is in them',
}

const file = conformance('sync/argocd.json')

t.test(
  'order, waves and hooks are as Argo CD has them',
  { skip: existsSync(file) ? false : 'the conformance data is not here' },
  async t => {
    const cases = JSON.parse(readFileSync(file, 'utf8')) as readonly Case[]
    t.equal(cases.length, 231)
    for (const one of cases) {
      const answer = answers[one.kind]
      if (answer === undefined) {
        t.ok(elsewhere[one.kind], `${one.kind} is answered, or there is a reason why not`)
        continue
      }
      const found = answer(one)
      const wanted = one.kind === 'kind-order' ? one.kinds : one.expected
      if (decided[one.name] === undefined) t.strictSame(found, wanted, one.name)
      else t.notOk(isDeepStrictEqual(found, wanted), `${one.name}: ${decided[one.name]}`)
    }
  },
)
