// What is said of an application that is only observed, and what it comes to when it is taken over.
import t from 'tap'
import type { Observed } from '../../controller/cluster/cluster.js'
import { newLedger } from '../../controller/ledger.js'
import { type ObservedFacts, observedPass, observedShort, observedState, takenOver } from '../../controller/observing.js'
import { manifestHash } from '../../runtime/contract/hash.js'
import { type Manifest, refOf } from '../../runtime/contract/manifest.js'
import { application, candidate, configMap, rejection, release } from './builders.js'

const app = { ...application(), mode: 'observe' as const }
const before = newLedger(app, 'node/lab', 'salt')
const [a, b] = [configMap('a', '1'), configMap('b', '1')]

function observedWith(...live: readonly Manifest[]): Observed {
  return {
    at: 1000,
    silent: null,
    ordered: null,
    obeyed: null,
    attempt: 0,
    release: '',
    preflight: null,
    objects: live.map(object => ({ ref: refOf(object), uid: 'u', hash: manifestHash(object), status: {}, attempt: 0 })),
    pods: [],
    gone: false,
    ledger: null,
  }
}

const passOf = (newest: ReturnType<typeof candidate> | null, observed: Observed, ledger = before) =>
  observedPass({ app, before: ledger, candidate: newest, observed, now: 1000 })

t.test('whatever is there, nothing is done; what Git says and what is there are compared', async t => {
  const newest = candidate(release(a, b))
  const cases: readonly (readonly [string, Observed, number])[] = [
    ['all of it', observedWith(a, b), 0],
    ['one is another', observedWith(a, configMap('b', '2')), 1],
    ['nothing', observedWith(), 2],
  ]
  for (const [what, observed, differs] of cases) {
    const { step, decision, health } = passOf(newest, observed)
    t.same([step.kind, decision.run, health.objects.filter(one => !one.there).length], ['none', 'leave', differs], what)
  }
  t.equal(passOf(null, observedWith()).step.kind, 'none')
})

t.test('a release that was there as a whole is remembered: taken over, its hooks do not run again', async t => {
  const newest = candidate(release(a, b))
  const whole = passOf(newest, observedWith(a, b)).ledger
  t.equal(whole.seen, release(a, b).id)
  t.equal(whole.current, null, 'it is not released for that')
  t.equal(passOf(newest, observedWith(a, b), whole).ledger, whole, 'nothing is written again')
  t.equal(passOf(newest, observedWith(a)).ledger, before)
})

t.test('deleted, it is forgotten, and what is there is left', async t => {
  const deleted = { ...before, deletion: { by: { kind: 'user' as const, name: 'ana' }, at: 1, cascade: true } }
  const { step, ledger } = passOf(candidate(release(a)), observedWith(a), deleted)
  t.equal(step.kind, 'forget')
  t.equal(ledger.deletion?.cascade, false)
})

t.test('an application of applications is compared without those: each is by itself', async t => {
  const child = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata: { name: 'kid' } } as Manifest
  const project = { apiVersion: 'argoproj.io/v1alpha1', kind: 'AppProject', metadata: { name: 'team' } } as Manifest
  t.equal(passOf(candidate(release(a, child, project)), observedWith(a)).health.objects.length, 1)
})

t.test('its state is a sentence', async t => {
  const facts: ObservedFacts = {
    candidate: candidate(release(a)),
    silent: null,
    health: { status: 'Healthy', message: '' },
    ready: '2 of 2 ready',
    compared: { of: 4, differs: [] },
  }
  const cases: readonly (readonly [Partial<ObservedFacts>, string, RegExp])[] = [
    [{}, 'Healthy', /^all 4 objects are as \S+ says, 2 of 2 ready$/],
    [{ compared: { of: 4, differs: ['A a'] } }, 'OutOfSync', /^1 of 4 objects differs from Git: A a$/],
    [
      { compared: { of: 9, differs: ['A a', 'B b', 'C c', 'D d'] } },
      'OutOfSync',
      /^4 of 9 objects differ from Git: A a, B b, C c, \.\.\.$/,
    ],
    [{ health: { status: 'Degraded', message: 'web: 0 of 2' } }, 'Degraded', /web: 0 of 2/],
    [{ candidate: rejection('c1') }, 'Held', /./],
    [{ candidate: null }, 'OutOfSync', /Git is being read/],
    [{ silent: { message: 'cluster eu does not answer' } }, 'Unknown', /cluster eu does not answer/],
  ]
  for (const [change, state, short] of cases) {
    const one = { ...facts, ...change }
    t.equal(observedState(one), state)
    t.match(observedShort(one), short)
  }
})

t.test('taken over, a declaration is what it was, and no longer only observed', async t => {
  const manifest = (annotations?: Record<string, string>) =>
    ({ ...app.manifest, metadata: { name: 'shop', ...(annotations === undefined ? {} : { annotations }) } }) as Manifest
  t.same(takenOver(manifest({ 'slipway.dev/mode': 'observe', a: 'b' })), manifest({ a: 'b' }))
  t.same(takenOver(manifest({ 'slipway.dev/mode': 'observe', 'argocd.argoproj.io/skip-reconcile': 'true' })), manifest())
})
