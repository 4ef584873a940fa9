// The tip that a poll knows -> the candidate, and what speaks against it.
import t from 'tap'
import type { Application } from '../../controller/application.js'
import { SourceError } from '../../controller/git/errors.js'
import { newLedger } from '../../controller/ledger.js'
import type { Candidate, CommitSha, GitTree } from '../../controller/release.js'
import { createSources, type SourcesOptions, type Tip } from '../../controller/sources.js'
import { keeping, rotated } from '../../controller/sticky.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { application, candidate, configMap, rejection, release, revision } from './builders.js'

const app = application()
const ledger = newLedger(app, 'node/lab', 'salt')
const { signal } = new AbortController()
const tipAt = (commit: string): Tip => ({ tip: commit as CommitSha, seenAt: 1, pushedAt: 0, staleSince: 0, error: null })
const unreachable = new SourceError('RepositoryUnreachable', 'http://git/shop cannot be reached', true)

function sources(change: Partial<SourcesOptions> = {}, rendered: Candidate = candidate(release(configMap('web', 'a')))) {
  const asked: string[] = []
  const made = createSources({
    tip: () => tipAt('c1'),
    revisionOf: async (_url, commit) => revision(commit),
    treeAt: async () => ({}) as GitTree,
    idAt: async () => '',
    withCharts: async ({ tree }) => ({ tree, kept: {} }),
    withKustomize: async () => null,
    notPermitted: () => null,
    childNotPermitted: () => '',
    candidateOf: async request => {
      asked.push(request.revision.commit)
      return rendered
    },
    keptOf: async () => null,
    ownerOf: () => null,
    live: () => [],
    declared: { uid: '', parent: null, defaultNode: 'lab', readYaml: () => ({}) },
    isDeclared: () => false,
    ...change,
  })
  return { asked, of: (one: Application = app) => made.candidate(one, ledger, signal) }
}

t.test('the same tip and declaration are rendered once', async t => {
  const { asked, of } = sources()

  await of()
  await of()
  t.same(asked, ['c1'])
  await of({ ...app })
  t.same(asked, ['c1', 'c1'], 'another declaration is rendered anew')
})

t.test('what an earlier version accepted holds what is new only where it says what is released, or where', async t => {
  const { of, asked } = sources()
  const fault = (pointer: string, holds: boolean) => ({ pointer, message: 'is not supported yet', holds })

  t.match(await of({ ...app, faults: [fault('spec.dependsOn', false)] }), { kind: 'release' })
  t.match(await of({ ...app, faults: [fault('spec.dependsOn', false), fault('spec.sources', true)] }), {
    kind: 'rejection',
    rejection: { reason: 'InvalidDeclaration', message: /any more: spec\.sources: is not supported yet; apply it corrected$/ },
  })
  t.same(asked, ['c1'])
})

t.test('a child that is declared as it is does not hold its parent for what is refused today', async t => {
  const child = { apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name: 'kid' }, spec: { dependsOn: [] } }
  const rendered = candidate(release(child as Manifest))

  t.match(await sources({}, rendered).of(), { kind: 'rejection', rejection: { message: /dependsOn|repoURL/ } })
  t.match(await sources({ isDeclared: one => one === child }, rendered).of(), { kind: 'release' })
})

t.test('a render that failed for a passing reason is tried again', async t => {
  const passing = rejection('c1')
  const { asked, of } = sources(
    {},
    passing.kind === 'rejection' ? { ...passing, rejection: { ...passing.rejection, transient: true } } : passing,
  )

  await of()
  await of()
  t.equal(asked.length, 2)
})

t.test('what the charts that it depends on meant is kept with the candidate, and asked again where it was forgotten', async t => {
  const entry = {
    value: '{"version":"1.2.0","sha256":"aa"}',
    name: 'chart',
    file: 'Chart.yaml',
    label: 'redis ^1',
    loose: 'l',
    at: 1,
    from: 'minted',
    idleSince: 0,
  } as const
  const kept = { 'chart https://x redis ^1': entry }
  const seen: (readonly string[])[] = []
  const made = createSources({
    tip: () => tipAt('c1'),
    revisionOf: async (_url, commit) => revision(commit),
    treeAt: async () => ({}) as GitTree,
    idAt: async () => '',
    withCharts: async ({ tree, sticky }) => {
      seen.push(Object.keys(sticky))
      return { tree, kept }
    },
    withKustomize: async () => null,
    notPermitted: () => null,
    childNotPermitted: () => '',
    candidateOf: async () => candidate(release(configMap('web', 'a'))),
    keptOf: async () => null,
    ownerOf: () => null,
    live: () => [],
    isDeclared: () => false,
    declared: { uid: '', parent: null, defaultNode: 'lab', readYaml: () => ({}) },
  })

  const found = await made.candidate(app, ledger, signal)
  const keeps = keeping(ledger, found)
  t.same(keeps.sticky, kept)
  await made.candidate(app, keeps, signal)
  t.same(seen, [[]], 'with what is kept, nothing is asked again')
  await made.candidate(app, rotated(keeps, Object.keys(kept)), signal)
  t.same(seen, [[], []], 'rotated, it is')
})

t.test('whether credentials of chart repositories may be passed on is told to who gets its charts', async t => {
  for (const passCredentials of [false, true]) {
    const source = { ...app.source, chart: { ...app.source.chart, passCredentials } }
    const seen: unknown[] = []
    const { of } = sources({
      withCharts: async ({ tree, passes }) => {
        seen.push(passes)
        return { tree, kept: {} }
      },
    })
    await of({ ...app, source, sources: [source] })
    t.same(seen, [passCredentials])
  }
})

t.test('a folder that is not there is told apart from a repository that does not answer', async t => {
  const asking = (error: Error) =>
    sources({
      treeAt: (_url, _commit, path) => (path === app.source.path ? Promise.resolve({} as GitTree) : Promise.reject(error)),
      withCharts: async ({ tree, treeAt }) => {
        t.equal(await treeAt('libs/gone'), null)
        return { tree, kept: {} }
      },
    }).of()
  t.match(await asking(new SourceError('PathNotFound', 'gone')), { kind: 'release' })
  t.match(await asking(unreachable), { rejection: { reason: 'RepositoryUnreachable', transient: true } })
})

t.test('a repository that was never read says why', async t => {
  const { of } = sources({ tip: () => ({ ...tipAt('c1'), tip: null, staleSince: 5, error: unreachable }) })

  t.match(await of(), {
    kind: 'rejection',
    revision: null,
    rejection: { reason: 'RepositoryUnreachable', message: unreachable.message },
  })
})

t.test('a repository that went away leaves the last candidate, marked as stale', async t => {
  const { of } = sources({ tip: () => ({ ...tipAt('c1'), staleSince: 5, error: unreachable }) })

  t.match(await of(), { kind: 'release', stale: { since: 5, message: unreachable.message } })
})

t.test('nothing is known before the first poll', async t => {
  t.equal(await sources({ tip: () => null }).of(), null)
})

t.test('what our copy of a repository lacks says nothing of the commit: what runs goes on, and it is read later', async t => {
  let isWhole = false
  const damaged = new SourceError('ObjectMissing', 'c1 is not in our copy of it', true)
  const { of } = sources({ treeAt: async () => (isWhole ? ({} as GitTree) : Promise.reject(damaged)) })

  t.equal(await of(), null)
  isWhole = true
  t.match(await of(), { kind: 'release' })
  t.equal(await sources({ tip: () => ({ ...tipAt('c1'), tip: null, staleSince: 5, error: damaged }) }).of(), null)
})

t.test('a path that is not there holds it; a failure to find out is thrown', async t => {
  const gone = new SourceError('PathNotFound', 'x is not in it', false)
  t.match(await sources({ treeAt: () => Promise.reject(gone) }).of(), { rejection: { message: 'x is not in it' } })
  await t.rejects(sources({ treeAt: () => Promise.reject(new Error('disk full')) }).of(), { message: 'disk full' })
})

t.test('an object that another application runs is refused with both names', async t => {
  const { of } = sources({ ownerOf: () => 'other' })

  t.match(await of(), {
    rejection: { reason: 'SharedObject', message: /ConfigMap .*web belongs to application other; shop may not/ },
  })
})

t.test('a broken Application among the objects holds its parent, and so does itself', async t => {
  const child = (name: string, spec: unknown) =>
    ({ apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name }, spec }) as Manifest
  const whole = { source: { repoURL: 'http://git/x', path: '.' }, destination: { namespace: 'x' } }

  t.match(await sources({}, candidate(release(child('kid', { source: {} })))).of(), { rejection: { reason: 'InvalidManifest' } })
  t.match(await sources({}, candidate(release(child('shop', whole)))).of(), { rejection: { message: /declares itself/ } })
  t.match(await sources({}, candidate(release(child('kid', whole)))).of(), { kind: 'release' })
})

t.test('what a chart looked up and cannot be looked at now changes nothing of what was rendered', async t => {
  const question = JSON.stringify(['v1', 'Secret', 'shop', 'db'])
  const asking: Candidate = {
    ...candidate(release(configMap('web', 'a'))),
    uses: { sticky: {}, own: [], lookups: { [question]: 'hash' } },
  }
  const { asked, of } = sources({ live: () => Promise.reject(new Error('the cluster is away')) }, asking)

  t.match(await of(), { kind: 'release' })
  t.match(await of(), { kind: 'release' })

  t.same(asked, ['c1'])
})
