// What is known of an application -> the status that Argo CD's own clients read.
import t from 'tap'
import { argoStatus, type Told } from '../../controller/argo-status.js'
import type { ApplicationView, AttemptView, ObjectView } from '../../controller/view.js'
import { application, sourceOf } from './builders.js'

const release = { id: 'rel-1', number: 'r1', commit: 'c0ffee', subject: 's', author: 'a', committedAt: '' }
const times = {
  pushed: '',
  seen: '2026-01-01T00:00:00Z',
  rendered: '',
  preflighted: '2026-01-01T00:00:01Z',
  applied: '2026-01-01T00:00:02Z',
  healthy: '2026-01-01T00:00:05Z',
  baked: '',
  judged: '',
  ended: '2026-01-01T00:00:09Z',
}

function attempt(change: Partial<AttemptView> = {}): AttemptView {
  return { number: 1, release, cause: 'commit', by: 'git', outcome: 'Healthy', message: 'm', times, ...change } as AttemptView
}

function object(change: Partial<ObjectView> = {}): ObjectView {
  return {
    ref: { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' },
    health: { status: 'Healthy', message: '' },
    sync: 'Synced',
    wave: 0,
    hook: '',
    ...change,
  } as ObjectView
}

function told(view: Partial<ApplicationView> = {}, change: Partial<Told> = {}): Told {
  const shown = {
    state: 'Healthy',
    message: 'it runs, for 12 s',
    short: 'it runs',
    sync: { status: 'Synced', message: '' },
    health: { status: 'Healthy', message: '' },
    candidate: release,
    attempt: attempt(),
    warnings: [],
    blockedBy: [],
    asks: null,
    ...view,
  } as unknown as ApplicationView
  return { app: application(), view: shown, history: [attempt()], objects: [object()], images: ['web:1'], ...change }
}

t.test('the phase of the operation is the outcome of the attempt, in words that alerts know', async t => {
  const cases: readonly (readonly [AttemptView['outcome'], string])[] = [
    [null, 'Running'],
    ['Healthy', 'Succeeded'],
    ['RolledBack', 'Failed'],
    ['Failed', 'Failed'],
    ['Held', 'Error'],
    ['Superseded', 'Terminating'],
  ]
  for (const [outcome, phase] of cases) {
    const { operationState } = argoStatus(told({ attempt: attempt({ outcome }) })) as { operationState: Record<string, unknown> }
    t.equal(operationState.phase, phase)
    t.equal('finishedAt' in operationState, outcome !== null)
    t.equal(operationState.startedAt, '2026-01-01T00:00:01Z')
  }
})

t.test('what went wrong, or is waited for, is a condition', async t => {
  const gate = { kind: 'window', application: '', message: 'until eight', until: '' } as const
  const cases: readonly (readonly [Partial<ApplicationView>, readonly object[]])[] = [
    [{}, []],
    [{ state: 'RolledBack' }, [{ type: 'RolledBack', message: 'it runs' }]],
    [{ state: 'Held' }, [{ type: 'Held', message: 'it runs' }]],
    [{ state: 'Failed' }, [{ type: 'SyncError', message: 'it runs' }]],
    [{ state: 'OutOfSync', blockedBy: [gate] }, [{ type: 'HeldBack', message: 'until eight' }]],
    [{ warnings: ['w'] }, [{ type: 'InvalidSpecError', message: 'w' }]],
    [{ warnings: ['its chart: w'] }, [{ type: 'ChartWarning', message: 'its chart: w' }]],
  ]
  for (const [view, conditions] of cases) t.same(argoStatus(told(view)).conditions, conditions)
})

t.test('resources and history have the fields that Argo CD gives them', async t => {
  const objects = [
    object({ wave: 2 }),
    object({
      ref: { group: '', kind: 'Namespace', namespace: '', name: 'shop' },
      health: { status: '', message: '' },
      sync: 'OutOfSync',
    }),
    object({ sync: 'Extra', health: { status: 'Degraded', message: 'why' } }),
  ]
  const history = [
    attempt({ number: 3 }),
    attempt({ number: 2, outcome: 'RolledBack' }),
    attempt({ number: 1, cause: 'sync', by: 'ana' }),
  ]
  const status = argoStatus(told({}, { objects, history }))
  t.same(status.resources, [
    {
      group: 'apps',
      kind: 'Deployment',
      namespace: 'shop',
      name: 'web',
      status: 'Synced',
      health: { status: 'Healthy' },
      syncWave: 2,
    },
    { kind: 'Namespace', name: 'shop', status: 'OutOfSync' },
    {
      group: 'apps',
      kind: 'Deployment',
      namespace: 'shop',
      name: 'web',
      status: 'OutOfSync',
      health: { status: 'Degraded', message: 'why' },
      requiresPruning: true,
    },
  ])
  t.match(status.history, [
    { id: 1, revision: 'c0ffee', initiatedBy: { username: 'ana' }, deployedAt: '2026-01-01T00:00:05Z' },
    { id: 3, initiatedBy: { automated: true } },
  ])
  t.equal((status.history as readonly unknown[]).length, 2, 'what was rolled back was never deployed')
})

t.test('the same facts give the same status, so that nothing is written for them', async t => {
  t.same(argoStatus(told()), argoStatus(told()))
  const several = { ...application(), sources: [sourceOf({ kind: 'helm' }), sourceOf({ kind: 'kustomize' })] }
  const manifest = { ...several.manifest, spec: { sources: [{ repoURL: 'a' }, { repoURL: 'b' }], destination: { name: 'eu' } } }
  t.match(argoStatus(told({}, { app: { ...several, manifest } })), {
    sourceTypes: ['Helm', 'Kustomize'],
    sync: { comparedTo: { sources: [{ repoURL: 'a' }, { repoURL: 'b' }], destination: { name: 'eu' } } },
  })
})

t.test('what is not pruned without a word: as Argo CD has it, so that its page has its button', async t => {
  const { ref } = object()
  const asking = (act: 'prune' | 'delete') => argoStatus(told({ asks: { act, objects: [ref], since: '' } })) as never as Status
  t.match(asking('prune').operationState, {
    phase: 'Running',
    message: 'waiting for pruning confirmation of apps/Deployment/web',
    finishedAt: null,
  })
  t.equal(asking('delete').operationState.phase, 'Succeeded')
  for (const act of ['prune', 'delete'] as const) t.equal(asking(act).resources[0]?.requiresDeletionConfirmation, true)
  t.notOk('requiresDeletionConfirmation' in ((argoStatus(told()) as never as Status).resources[0] ?? {}))
})

t.test('an application of several sources has a revision of each, as Argo CD has them, and no other', async t => {
  const of = (revisions: readonly string[]) => {
    const candidate = { ...release, revisions }
    const tried = attempt({ release: candidate })
    return argoStatus(told({ candidate, attempt: tried }, { history: [tried] })) as never as Record<string, never>
  }
  const several = of(['c0ffee', 'f00d', `1.2.0@sha256:${'ab'.repeat(32)}`])
  const wanted = ['c0ffee', 'f00d', '1.2.0']
  t.match(several, {
    sync: { revisions: wanted },
    operationState: { operation: { sync: { revisions: wanted } }, syncResult: { revision: '', revisions: wanted } },
    history: [{ revisions: wanted }],
  })
  t.notOk('revision' in (several.sync ?? {}))
  const one = of(['c0ffee'])
  t.match(one, { sync: { revision: 'c0ffee' }, operationState: { syncResult: { revision: 'c0ffee' } } })
  t.notOk('revisions' in (one.sync ?? {}))
})

interface Status {
  readonly operationState: { readonly phase: string }
  readonly resources: readonly { readonly requiresDeletionConfirmation?: boolean }[]
}
