// Several sources of one application: rendered each, lending files to each other, one release.
import t from 'tap'
import { parseApplication } from '../../controller/application.js'
import { newLedger } from '../../controller/ledger.js'
import { candidateView } from '../../controller/records.js'
import type { Candidate, CommitSha } from '../../controller/release.js'
import { makeCandidates } from '../../controller/render/candidate.js'
import { RenderPool } from '../../controller/render/pool.js'
import { createSources } from '../../controller/sources.js'
import { keeping } from '../../controller/sticky.js'
import { readYaml } from '../../renderer/index.js'
import { repository } from '../support/git-tree.js'
import type { Tree } from '../support/render.js'
import { revision } from './builders.js'

const pool = new RenderPool()
t.teardown(() => pool.close())
const declared = { uid: 'u', parent: null, defaultNode: 'lab', readYaml: (text: string) => readYaml(text, 'values')[0] ?? {} }
const { signal } = new AbortController()

const configMap = (name: string, text: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { text: ${text} }\n`
const chart = (name: string): Tree => ({
  [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`,
  [`${name}/values.yaml`]: 'text: own\n',
  [`${name}/templates/a.yaml`]: configMap(name, '{{ .Values.text | quote }}'),
})
const repositories: Record<string, Tree> = {
  'http://git/charts': { ...chart('web'), ...chart('db'), 'plain/a.yaml': configMap('web', 'plain') },
  'http://git/config': { 'env/eu.yaml': 'text: eu\n' },
}

const tips: Record<string, string> = { 'http://git/charts': 'c1', 'http://git/config': 'd1' }
const made = createSources({
  tip: url =>
    tips[url] === undefined ? null : { tip: tips[url] as CommitSha, seenAt: 1, pushedAt: 0, staleSince: 0, error: null },
  revisionOf: async (_url, commit) => revision(commit),
  treeAt: async (url, _commit, path) => repository(repositories[url] ?? {}, path === '.' ? '' : path),
  idAt: async (url, commit, path) => `${url} ${commit} ${path}`,
  withCharts: async ({ tree }) => ({ tree, kept: {} }),
  withKustomize: async () => null,
  notPermitted: () => null,
  childNotPermitted: () => '',
  ...(() => {
    const { candidateOf, keptOf } = makeCandidates(pool)
    return { candidateOf, keptOf }
  })(),
  ownerOf: () => null,
  live: () => [],
  declared,
  isDeclared: () => false,
})

function appOf(sources: readonly object[]) {
  const parsed = parseApplication(
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata: { name: 'shop' },
      spec: { sources, destination: { namespace: 'x' } },
    },
    declared,
  )
  if (parsed.application === null)
    throw new Error(parsed.faults.map(({ pointer, message }) => `${pointer}: ${message}`).join('; '))
  return parsed.application
}

async function texts(sources: readonly object[]): Promise<Readonly<Record<string, unknown>> | string> {
  const app = appOf(sources)
  const candidate = await made.candidate(app, newLedger(app, 'node/lab', 'salt'), signal)
  return shown(candidate)
}

function shown(candidate: Candidate | null): Readonly<Record<string, unknown>> | string {
  if (candidate?.kind !== 'release')
    return candidate === null ? 'nothing yet' : `${candidate.rejection.reason}: ${candidate.rejection.message}`
  return Object.fromEntries(
    candidate.release.objects.map(({ metadata, data }) => [metadata.name, (data as { text: unknown }).text]),
  )
}

const web = { repoURL: 'http://git/charts', path: 'web' }
const db = { repoURL: 'http://git/charts', path: 'db' }
const config = { repoURL: 'http://git/config', ref: 'values' }
const withFile = { helm: { valueFiles: ['$values/env/eu.yaml'] } }

t.test('all of them are one release; a ref lends its files, whatever the order', async t => {
  t.same(await texts([web, db]), { web: 'own', db: 'own' })
  t.same(await texts([{ ...web, ...withFile }, db, config]), { web: 'eu', db: 'own' })
  t.same(await texts([config, { ...web, ...withFile }]), { web: 'eu' })
  t.same(await texts([web, { repoURL: 'http://git/charts', path: 'plain' }]), { web: 'plain' }, 'the later source counts')
})

t.test('what was newest of each source is known, those that only lend files too', async t => {
  const revisionOf = async (sources: readonly object[]) => {
    const app = appOf(sources)
    const candidate = await made.candidate(app, newLedger(app, 'node/lab', 'salt'), signal)
    return candidateView(newLedger(app, 'node/lab', 'salt'), candidate)
  }
  t.match(await revisionOf([config, { ...web, ...withFile }]), { commit: 'c1', revisions: ['d1', 'c1'] })
  t.match(await revisionOf([web]), { commit: 'c1', revisions: ['c1'] })
})

t.test('what their charts warn of comes with the release, each once, and is kept with it', async t => {
  const wrong = { helm: { valuesObject: { text: { a: 1 } } } }
  const app = appOf([
    { ...web, ...wrong },
    { ...web, ...wrong },
    { ...db, ...wrong },
  ])
  const ledger = newLedger(app, 'node/lab', 'salt')
  const warnings = ['web', 'db'].map(name => `warning: skipped value for ${name}.text: Not a table.`)
  const first = await made.candidate(app, ledger, signal)
  t.match(first, { kind: 'release', warnings })
  t.match(await made.candidate({ ...app }, ledger, signal), { kind: 'release', warnings }, 'also without a render')
})

t.test('what is wrong is told with the source, and nothing is released of the others', async t => {
  const gone = { helm: { valueFiles: ['$values/env/us.yaml'] } }
  t.match(
    await texts([web, { ...db, ...gone }, config]),
    /source 2 of 2: value file \$values\/env\/us\.yaml is not in this commit/,
  )
  t.match(
    await texts([{ ...web, helm: { valueFiles: ['$other/x.yaml'] } }, config]),
    /no source of this application has ref other; there are values/,
  )
  t.match(await texts([{ ...web, helm: { valueFiles: ['$values/../../x.yaml'] } }, config]), /leads out of the repository/)
  t.equal(await texts([web, { repoURL: 'http://git/unknown', path: 'x' }]), 'nothing yet')
})

t.test('two charts with templates of one name keep passwords of their own', async t => {
  const secret = configMap('NAME', '{{ randAlphaNum 12 | quote }}')
  for (const name of ['web', 'db'])
    repositories['http://git/charts'] = {
      ...repositories['http://git/charts'],
      [`${name}/templates/a.yaml`]: secret.replace('NAME', name),
      [`${name}/Chart.yaml`]: 'apiVersion: v2\nname: same\nversion: 1.0.0\n',
    }
  tips['http://git/charts'] = 'c2'
  const app = appOf([web, db])
  const ledger = newLedger(app, 'node/lab', 'salt')
  const first = await made.candidate(app, ledger, signal)
  const given = shown(first) as Readonly<Record<string, string>>
  t.not(given.web, given.db)

  tips['http://git/charts'] = 'c3'
  t.same(shown(await made.candidate(app, keeping(ledger, first), signal)), given, 'and keep them')
})

t.test('a declaration names what it cannot mean', async t => {
  const faultsOf = (spec: object) =>
    parseApplication(
      { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata: { name: 'shop' }, spec },
      declared,
    ).faults.map(({ pointer, message }) => `${pointer}: ${message}`)
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ source: web, sources: [web] }, /^spec\.source: is given beside sources/],
    [{ sources: [] }, /^spec\.sources: is empty/],
    [{ sources: [config] }, /^spec\.sources: none of them has a path/],
    [{ sources: [web, { ...config, ref: 'a b' }] }, /^spec\.sources\[1\]\.ref: want letters/],
    [{ sources: [config, config, web] }, /^spec\.sources\[1\]\.ref: "values" is another source's ref already/],
    [{ source: { ...web, ref: 'x' } }, /^spec\.source\.ref: is for several sources/],
    [{ source: { ...web, helm: {}, kustomize: {} } }, /^spec\.source\.kustomize: is given beside helm/],
    [{ source: { ...web, plugin: { name: 'x' } } }, /^spec\.source\.plugin: a plugin source is not supported/],
    [{ source: { ...web, kustomize: { version: 'v5' } } }, /^spec\.source\.kustomize\.version: names a kustomize of Argo CD/],
    [{ source: { ...web, kustomize: { images: ['web'] } } }, /^spec\.source\.kustomize\.images\[0\]: want \[old=\]name/],
    [
      { source: { ...web, kustomize: { replicas: [{ name: 'a', count: 'many' }] } } },
      /replicas\[0\]\.count: want a whole number/,
    ],
    [{ source: { ...web, helm: { version: 'v2' } } }, /^spec\.source\.helm\.version: "v2" is not supported/],
    [{ source: { ...web, helm: { fileParameters: [{ name: 'a' }] } } }, /fileParameters\[0\]\.path: is missing/],
    [{ source: web, sourceHydrator: {} }, /^spec\.sourceHydrator: is not supported/],
    [{ source: { ...web, dirctory: {} } }, /^spec\.source\.dirctory: unknown field \(did you mean directory\?\)/],
  ]
  for (const [spec, message] of cases)
    t.ok(
      faultsOf(spec).some(fault => message.test(fault)),
      `${message} (${faultsOf(spec).join('; ')})`,
    )
})
