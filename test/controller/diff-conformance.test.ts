// Argo CD's own cases of server-side diff and of hidden Secrets, as data. Its client-side algorithms are not ours: what they are to
// find is asked of a real API server (kubernetes-diff, kubernetes-corpus). What we decided otherwise is pinned by name.
import t from 'tap'
import type { Sent } from '../../controller/cluster/kubernetes/client.js'
import { compared } from '../../controller/cluster/kubernetes/compare.js'
import { fieldManager, managedOf } from '../../controller/cluster/kubernetes/managed.js'
import { maskSecret } from '../../controller/diff.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { conformance } from '../support/reference.js'

interface Check {
  readonly in: string
  readonly path?: readonly unknown[]
  readonly equals?: unknown
  readonly nowhere?: string
}

interface Case {
  readonly name: string
  readonly kind: string
  readonly live?: Manifest
  readonly target?: Manifest
  readonly dryRun?: Manifest
  readonly options?: { readonly ignoreDifferences?: readonly (readonly string[])[]; readonly hideAnnotations?: readonly string[] }
  readonly expected: { readonly modified?: boolean; readonly checks?: readonly Check[] }
}

const decided: Readonly<Record<string, string>> = {
  'TestServerSideDiff/will test removing some field with undoing changes done by webhook':
    "its dry run drops a port that is not the manager's, and defaults: no API server answers that",
}

const known = conformance<Case>('diff/argocd.json')
const skip = known === null ? 'SKIPPED: the conformance data is not here' : false
const cases = known ?? []

/** As if we had been the manager that these cases call Argo CD. */
function asOurs(object: Manifest): Sent {
  const managedFields = managedOf(object as Sent).map(one =>
    one.manager === 'argocd-controller' ? { ...one, manager: fieldManager } : one,
  )
  return { ...object, metadata: { ...object.metadata, managedFields } }
}

t.test('what applying would change is found, and nothing else', { skip }, t => {
  const own = cases.filter(({ kind }) => kind === 'server-side')
  t.equal(own.length, 13)
  for (const { name, live, dryRun, options, expected } of own) {
    const paths = options?.ignoreDifferences ?? []
    const fields = compared({
      live: asOurs(live!),
      predicted: asOurs(dryRun!),
      ignored: { live: paths, predicted: paths },
    })
    const found = JSON.stringify(fields)
    const isModified = decided[name] === undefined ? expected.modified : !expected.modified
    if (isModified !== undefined) t.equal(fields.length > 0, isModified, `${name}: ${found}`)
    for (const { path = [] } of (expected.checks ?? []).filter(check => check.in === 'predicted' && 'absent' in check))
      if (path[0] === 'spec' || path.includes('last-applied-configuration'))
        t.notOk(
          fields.some(field => field.path.startsWith(path.join('.')) && field.want !== ''),
          `${name}: ${path.join('.')}`,
        )
  }
  t.end()
})

t.test('values of Secrets are hidden, and equal ones look equal', { skip }, t => {
  const own = cases.filter(({ kind, options }) => kind === 'hide-secrets' && options?.hideAnnotations === undefined)
  t.equal(own.length, 11)
  for (const { name, target, live, expected } of own) {
    const shown = { target: hiddenIn(target), live: hiddenIn(live) }
    const wanted = Object.fromEntries(
      (expected.checks ?? [])
        .filter(({ path = [], equals }) => path.join() === 'data' && equals !== undefined)
        .map(check => [check.in, check.equals as Readonly<Record<string, string>>]),
    )
    for (const side of ['target', 'live'] as const) {
      if (wanted[side] === undefined) continue
      const data = dataOf(shown[side])
      t.same(Object.keys(data).sort(), Object.keys(wanted[side]).sort(), `${name}: keys of ${side}`)
      for (const key of Object.keys(wanted[side])) {
        t.match(data[key], /^<[0-9a-f]{8}>$/, `${name}: ${side} ${key}`)
        const other = side === 'live' ? 'target' : 'live'
        if (wanted[other]?.[key] === undefined) continue
        const isSame = data[key] === dataOf(shown[other])[key]
        t.equal(isSame, wanted[side][key] === wanted[other][key], `${name}: ${key} looks ${isSame ? 'equal' : 'different'}`)
      }
      t.notOk(shown[side]?.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'], name)
    }
  }
  t.end()
})

/** Some of these cases leave out that they are of v1. */
function hiddenIn(object: Manifest | undefined): Manifest | undefined {
  return object && maskSecret({ ...object, apiVersion: 'v1' }, 'key')
}

function dataOf(object: Manifest | undefined): Readonly<Record<string, string>> {
  return (object?.data ?? {}) as Readonly<Record<string, string>>
}
