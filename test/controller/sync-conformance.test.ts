// Argo CD's own cases on order, waves, hooks and back-off, as data. Kinds of cases that have a counterpart here run whole;
// what we decided otherwise is pinned by name with its reason, and must differ.
import { existsSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import type { Phase } from '../../controller/ledger.js'
import { deletePolicies, hookPhases, hookTypes, isHook, isSkipped, waveOf } from '../../controller/release/hooks.js'
import { inOrder, kindOrder } from '../../controller/sync/order.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { conformance } from './builders.js'

interface Case {
  readonly name: string
  readonly kind: string
  readonly object: Manifest
  readonly annotations: Readonly<Record<string, string>>
  readonly hook: string
  readonly type: string
  readonly value: string
  readonly kinds: readonly string[]
  readonly tasks: readonly { readonly phase: Phase; readonly object: Manifest }[]
  readonly expected: unknown
}

function annotated(key: string, value: string): Manifest {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', annotations: { [key]: value } } }
}

function whole(object: Partial<Manifest>): Manifest {
  return { apiVersion: 'v1', kind: '', ...object, metadata: { name: '', ...object.metadata } }
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

const answers: Readonly<Record<string, (one: Case) => unknown>> = {
  wave: one => waveOf(whole(one.object)),
  'kind-order': () => kindOrder,
  hook: hookFacts,
  'helm-hook-phase': one => hookPhases(annotated('helm.sh/hook', one.hook))[0] ?? null,
  'delete-policies': one => deletePolicies(whole(one.object)),
  'helm-delete-policy': one => deletePolicies(annotated('helm.sh/hook-delete-policy', one.value))[0] ?? null,
  'hook-of-type': one => hookPhases(whole({ metadata: { name: 'x', annotations: one.annotations } })).includes(one.type as never),
  order: one => ordered(one.tasks),
}

const decided: Readonly<Record<string, string>> = {
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
      if (answer === undefined) continue
      const found = answer(one)
      const wanted = one.kind === 'kind-order' ? one.kinds : one.expected
      if (decided[one.name] === undefined) t.strictSame(found, wanted, one.name)
      else t.notOk(isDeepStrictEqual(found, wanted), `${one.name}: ${decided[one.name]}`)
    }
  },
)
