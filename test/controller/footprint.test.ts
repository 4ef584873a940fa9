// What of Git a render read, and whether a newer commit holds the same of it.
import t from 'tap'
import { type At, leadsToTheSame, type Trace, traced, tracesAt } from '../../controller/footprint.js'
import type { CommitSha, GitTree, TreeId } from '../../controller/release.js'
import { Monorepo, type Tree } from '../support/monorepo.js'

const { signal } = new AbortController()
const at = (url: string, commit: string): At => ({ url, commit: commit as CommitSha })
const trace = (url: string, commit: string, path: string, id: string | null): Trace => ({ ...at(url, commit), path, id })

/** `url commit path` -> id */
const there: Readonly<Record<string, string>> = { 'g c2 apps/web': 'w1', 'g c2 env': 'e2', 'g c3 apps/web': 'w2', 'h d2 v': 'v1' }
const idAt = async (url: string, commit: string, path: string) => there[`${url} ${commit} ${path}`] ?? null

t.test('only what was read counts, at each source that was read', async t => {
  const web = trace('g', 'c1', 'apps/web', 'w1')
  const table: readonly (readonly [string, readonly Trace[] | null, readonly At[], readonly At[], boolean])[] = [
    ['the folder is the same', [web], [at('g', 'c1')], [at('g', 'c2')], true],
    ['it is another', [web], [at('g', 'c1')], [at('g', 'c3')], false],
    ['a file beside it that was read is another', [web, trace('g', 'c1', 'env', 'e1')], [at('g', 'c1')], [at('g', 'c2')], false],
    ['what was not there is not there', [web, trace('g', 'c1', 'no', null)], [at('g', 'c1')], [at('g', 'c2')], true],
    ['what was not there is', [web, trace('g', 'c1', 'env', null)], [at('g', 'c1')], [at('g', 'c2')], false],
    ['what was there is gone', [trace('g', 'c1', 'no', 'n')], [at('g', 'c1')], [at('g', 'c2')], false],
    [
      'the other source moved',
      [web, trace('h', 'd1', 'v', 'v1')],
      [at('g', 'c1'), at('h', 'd1')],
      [at('g', 'c1'), at('h', 'd2')],
      true,
    ],
    ['to another', [web, trace('h', 'd1', 'v', 'v0')], [at('g', 'c1'), at('h', 'd1')], [at('g', 'c1'), at('h', 'd2')], false],
    ['two of one commit part', [web], [at('g', 'c1'), at('g', 'c1')], [at('g', 'c2'), at('g', 'c3')], false],
    ['it is not known what was read', null, [at('g', 'c1')], [at('g', 'c2')], false],
    ['a source more', [web], [at('g', 'c1')], [at('g', 'c1'), at('h', 'd2')], false],
  ]
  for (const [what, traces, before, now, expected] of table)
    t.equal(await leadsToTheSame(traces, before, now, idAt), expected, what)
})

t.test('what two sources of one commit read is known of both when they part', async t => {
  const traces = tracesAt([trace('g', 'c1', 'a', 'x')], [at('g', 'c1'), at('g', 'c1')], [at('g', 'c2'), at('g', 'c3')])
  t.same(
    traces?.map(one => one.commit),
    ['c2', 'c3'],
  )
})

t.test('folders, single files, and what is not there are noted; who looks at all files depends on all of them', async t => {
  const tree = {
    treeId: 't1' as TreeId,
    resolve: async (path: string) => (path === 'env/eu.yaml' ? { oid: 'f1' } : null),
    everything: async () => [],
  } as unknown as GitTree
  const tracing = traced(async (_url, _commit, path) => (path === 'no' ? Promise.reject(new Error('gone')) : tree))
  const found = await tracing.treeAt('g', 'c1' as CommitSha, 'apps/web')
  await found.resolve('env/eu.yaml')
  await found.resolve('env/us.yaml')
  await t.rejects(tracing.treeAt('g', 'c1' as CommitSha, 'no'))
  await (await tracing.filesAt('h', 'd1' as CommitSha, '.')).resolve('env/eu.yaml')
  t.same(tracing.traces(), [
    trace('g', 'c1', 'apps/web', 't1'),
    trace('g', 'c1', 'env/eu.yaml', 'f1'),
    trace('g', 'c1', 'env/us.yaml', null),
    trace('g', 'c1', 'no', null),
    trace('h', 'd1', 'env/eu.yaml', 'f1'),
  ])
  await found.everything?.()
  t.equal(tracing.traces(), null)
})

t.test('in a repository, a commit moves those that read what it changes', async t => {
  const made = new Monorepo()
  t.teardown(() => made.close())
  const chart = (name: string, more = ''): Tree => ({
    [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name.split('/').at(-1)}\nversion: 1.0.0\n${more}`,
    [`${name}/templates/map.yaml`]: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name.split('/').at(-1)}}\ndata: {text: {{ .Values.text | quote }}}\n`,
    [`${name}/values.yaml`]: 'text: one\n',
  })
  made.declare('shop', { path: './apps//shop', helm: { valueFiles: ['/env/shop.yaml'] } })
  made.declare('blog', { path: 'apps/blog' })
  made.declare('globs', { path: 'apps/shop', helm: { valueFiles: ['/env/*.yaml'] } })
  made.declare('lacks', { path: 'apps/shop', helm: { valueFiles: ['/env/later.yml'], ignoreMissingValueFiles: true } })
  await made.commit(
    {
      ...chart('apps/shop'),
      ...chart('apps/blog', 'dependencies: [{name: base, version: 1.0.0, repository: "file://../../libs/base"}]\n'),
      ...chart('libs/base'),
      'env/shop.yaml': 'text: prod\n',
    },
    signal,
  )
  const names = ['shop', 'blog', 'globs', 'lacks']
  const look = async () => {
    for (const name of names) t.match(await made.candidate(name, signal), { kind: 'release' }, name)
  }
  await look()
  const table: readonly (readonly [what: string, change: Tree, moved: readonly string[]])[] = [
    ['a file at the root', { 'README.md': 'x' }, ['globs']],
    ['a value file', { 'env/shop.yaml': 'text: two\n' }, ['shop', 'globs']],
    ['a folder that a chart depends on', { 'libs/base/values.yaml': 'text: two\n' }, ['blog', 'globs']],
    ['a file that was missing', { 'env/later.yml': 'text: three\n' }, ['globs', 'lacks']],
    ['its folder', { 'apps/blog/values.yaml': 'text: two\n' }, ['blog', 'globs']],
  ]
  for (const [what, change, moved] of table) {
    await made.commit(change, signal)
    const found = await Promise.all(names.map(async name => ((await made.isMoved(name)) ? [name] : [])))
    t.same(found.flat(), moved, what)
    await look()
  }
})
