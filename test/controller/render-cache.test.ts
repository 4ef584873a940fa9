// Which change renders which application again: told by how its candidate came about, in a real repository.
import t from 'tap'
import type { Candidate } from '../../controller/release.js'
import type { Cause } from '../../controller/render/candidate.js'
import { Held } from '../../controller/render/held.js'
import { renderMetrics } from '../../controller/render/metrics.js'
import { RenderPool } from '../../controller/render/pool.js'
import { Monorepo, type Tree } from '../support/monorepo.js'
import { options } from '../support/render.js'

const { signal } = new AbortController()
const kept = { salt: 's', values: {}, answers: {} }

const base: Tree = {
  'README.md': 'all of it',
  'env/shop.yaml': 'text: prod\n',
  'env/blog.yaml': 'text: prod\n',
  'apps/shop/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
  'apps/shop/values.yaml': 'text: one\n',
  'apps/shop/README.md': 'how to use it',
  'apps/shop/conf/a.ini': 'color = blue\n',
  'apps/shop/conf/b.ini': 'color = red\n',
  'apps/shop/dash/one.json': '{}',
  'apps/shop/templates/map.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {text: {{ .Values.text }}, ini: {{ .Files.Get "conf/a.ini" | quote }}, dash: {{ (.Files.Glob "dash/*.json").AsConfig | quote }}}\n',
  'apps/blog/Chart.yaml': 'apiVersion: v2\nname: blog\nversion: 1.0.0\n',
  'apps/blog/README.md': 'how to use it',
  'apps/blog/templates/map.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: blog}\ndata: {text: x}\n',
  'apps/flat/all.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flat}\n',
}

const names = ['shop', 'blog', 'flat'] as const
type Causes = readonly [shop: Cause, blog: Cause, flat: Cause]

async function repository(): Promise<Monorepo> {
  const made = new Monorepo()
  t.teardown(() => made.close())
  made.declare('shop', { path: 'apps/shop', helm: { valueFiles: ['/env/shop.yaml'] } })
  made.declare('blog', { path: 'apps/blog' })
  made.declare('flat', { path: 'apps/flat' })
  await made.commit(base, signal)
  return made
}

function releaseOf(candidate: Candidate | null) {
  if (candidate?.kind !== 'release') throw new Error(JSON.stringify(candidate))
  return candidate.release
}

/** How each candidate came about. */
async function causes(
  made: Monorepo,
  of: readonly string[] = names,
): Promise<{ readonly causes: Cause[]; readonly ids: string[] }> {
  const found: Cause[] = []
  const ids: string[] = []
  for (const name of of) {
    const before = { ...made.counts }
    const candidate = await made.candidate(name, signal)
    const release = releaseOf(candidate)
    t.equal(candidate?.revision?.commit, made.tip, 'it is that of the newest commit')
    t.equal(release.tree, await made.treeOf(`apps/${name}`), 'the tree that a rollback is written with is that of the commit')
    ids.push(release.id)
    // What is told by names alone is counted nowhere: nobody looked at its tree.
    found.push((Object.keys(before) as Cause[]).find(cause => made.counts[cause] > before[cause]) ?? 'kept')
  }
  return { causes: found, ids }
}

t.test('only what an application was made of renders it again', async t => {
  const made = await repository()
  const first = await causes(made)
  t.same(first.causes, ['rendered', 'rendered', 'rendered'])
  const table: readonly (readonly [what: string, change: Tree, causes: Causes])[] = [
    ['a file at the root', { 'README.md': 'other words' }, ['kept', 'kept', 'kept']],
    ['a value file of nobody', { 'env/blog.yaml': 'text: x\n' }, ['kept', 'kept', 'kept']],
    ['its value file', { 'env/shop.yaml': 'text: two\n' }, ['rendered', 'kept', 'kept']],
    ['its values', { 'apps/shop/values.yaml': 'text: one\nmore: 1\n' }, ['rendered', 'kept', 'kept']],
    ['a template', { 'apps/blog/templates/more.yaml': '# nothing\n' }, ['kept', 'rendered', 'kept']],
    [
      'a file of the chart that nothing reads',
      { 'apps/blog/README.md': 'x', 'apps/shop/README.md': 'x' },
      ['same', 'same', 'kept'],
    ],
    ['a file beside the one that is read', { 'apps/shop/conf/b.ini': 'x' }, ['same', 'kept', 'kept']],
    ['a file that a template reads', { 'apps/shop/conf/a.ini': 'x' }, ['rendered', 'kept', 'kept']],
    ['one that is read no longer being there', { 'apps/shop/conf/a.ini': null }, ['rendered', 'kept', 'kept']],
    ['a new file that a pattern finds', { 'apps/shop/dash/two.json': '{}' }, ['rendered', 'kept', 'kept']],
    ['a new file that no pattern finds', { 'apps/shop/dash/two.txt': '{}' }, ['same', 'kept', 'kept']],
    ['a manifest', { 'apps/flat/all.yaml': `${base['apps/flat/all.yaml']}data: {a: b}\n` }, ['kept', 'kept', 'rendered']],
    ['a file beside manifests', { 'apps/flat/notes.txt': 'x' }, ['kept', 'kept', 'same']],
  ]
  for (const [what, change, expected] of table) {
    await made.commit(change, signal)
    t.same((await causes(made)).causes, expected, what)
    const back = Object.fromEntries(Object.keys(change).map(path => [path, base[path] ?? null]))
    await made.commit(back, signal)
    t.same(await causes(made), { causes: ['kept', 'kept', 'kept'], ids: first.ids }, `${what}, reverted`)
  }
})

t.test('what is known without a render is told without one, and nothing else', async t => {
  const made = await repository()
  const first = releaseOf(await made.candidate('shop', signal))
  const table: readonly (readonly [what: string, change: Tree, known: boolean])[] = [
    ['a file at the root', { 'README.md': 'other words' }, true],
    ['a file of the chart that nothing reads', { 'apps/shop/README.md': 'x' }, false],
    ['its values', { 'apps/shop/values.yaml': 'text: one\nmore: 1\n' }, false],
    ['its value file', { 'env/shop.yaml': 'text: two\n' }, false],
    ['all as it was', base, true],
  ]

  for (const [what, change, known] of table) {
    await made.commit(change, signal)
    const found = await made.kept('shop', signal)
    t.equal(found === null ? null : releaseOf(found).id, known ? first.id : null, what)
  }
  t.match(made.counts, { rendered: 1 })
  const { kept: told } = made.counts
  t.match(
    await renderMetrics(made.counts).metrics(),
    `slipway_candidates_total{cause="kept"} ${told}\nslipway_candidates_total{cause="same"} 0\nslipway_candidates_total{cause="rendered"} 1`,
  )
})

t.test('another declaration renders again, the one before does not', async t => {
  const made = await repository()
  await causes(made)
  const sources: readonly (readonly [object, Cause])[] = [
    [{ path: 'apps/blog', helm: { parameters: [{ name: 'a', value: 'b' }] } }, 'rendered'],
    [{ path: 'apps/blog', helm: { releaseName: 'other' } }, 'rendered'],
    [{ path: 'apps/blog', helm: { valueFiles: ['/env/blog.yaml'] } }, 'rendered'],
    [{ path: 'apps/blog' }, 'kept'],
  ]

  for (const [source, expected] of sources) {
    made.declare('blog', source)
    t.same((await causes(made, ['blog'])).causes, [expected], JSON.stringify(source))
  }
})

t.test('a child is sent a blob once, whichever applications and jobs name it', async t => {
  const pool = new RenderPool()
  t.teardown(() => pool.close())
  await pool.run({ files: [], options, kept }, signal)
  const read: string[] = []
  const blob = (oid: string, text: string) => ({
    oid,
    read: async () => {
      read.push(oid)
      return Buffer.from(text)
    },
  })
  const head = blob('c', 'apiVersion: v2\nname: a\nversion: 1.0.0\n')
  const map = (name: string) => blob(name, `kind: ConfigMap\napiVersion: v1\nmetadata: {name: {{ .Release.Name }}-${name}}\n`)
  const job = (template: string) => ({
    files: [['Chart.yaml', head] as const, ['templates/a.yaml', map(template)] as const],
    options,
    kept,
  })

  const results = [await pool.run(job('x'), signal), await pool.run(job('y'), signal), await pool.run(job('x'), signal)]

  t.same(read, ['c', 'x', 'y'])
  t.same(
    results.map(result => ('objects' in result ? result.objects?.map(object => object.manifest.metadata.name) : result)),
    [['shop-x'], ['shop-y'], ['shop-x']],
  )
  process.kill(pool.pids[0] ?? 0, 'SIGKILL')
  await t.resolveMatch(pool.run(job('x'), signal), {})
  await t.resolveMatch(pool.run(job('x'), signal), { objects: [{ line: 1 }] }, 'the child after it is sent everything again')
})

t.test('a blob that cannot be read fails the render and nothing else', async t => {
  const pool = new RenderPool()
  t.teardown(() => pool.close())
  const gone = { oid: 'g', read: () => Promise.reject(new Error('no such object')) }

  await t.rejects(pool.run({ files: [['a.yaml', gone]], options, kept }, signal), { message: 'no such object' })
  t.match(await pool.run({ files: [], options, kept }, signal), { objects: [] })
})

t.test('a child holds no more than its room, and says what it let go', async t => {
  const held = new Held(1000)
  const of = (...oids: string[]) => oids.map(oid => ({ path: oid, content: oid }))
  const sent = (...oids: string[]) => new Map(oids.map(oid => [oid, new Uint8Array(400)] as const))

  held.filesOf(of('a', 'b'), sent('a', 'b'), () => {})
  t.same(held.lost(), [])
  const files = held.filesOf(of('b', 'c', 'd'), sent('c', 'd'), () => {})
  t.same(
    files.paths.map(path => files.read(path)?.length),
    [400, 400, 400],
    'a job has all of its files, whatever there is room for',
  )
  t.same(held.lost().toSorted(), ['a', 'b'])
  held.filesOf(of('e', 'f', 'c', 'd'), sent('e', 'f'), () => {})
  t.same(held.lost().toSorted(), ['c', 'd'], 'what is held is there for a job, although what came with it takes its room')
  t.throws(() => held.filesOf(of('a'), new Map(), () => {}), /blob a was neither sent nor held/)
  held.filesOf(of('g'), new Map([['g', new Uint8Array(2000)]]), () => {})
  t.same(held.lost(), ['g'], 'one that is too large is never held')
})

t.test('a child whose heap fills up lets go of what was longest not asked for', async t => {
  const held = new Held()
  for (const oid of ['a', 'b', 'c', 'd'])
    held.filesOf([{ path: oid, content: oid }], new Map([[oid, new Uint8Array(400)]]), () => {})

  held.settle(0.3)
  t.same(held.lost(), [])
  held.settle(0.9)
  t.same(held.lost(), ['a', 'b'])
  held.settle(0.9)
  held.settle(0.9)
  t.same(held.lost(), ['c', 'd'])
  held.settle(0.9)
  t.same(held.lost(), [])
})

t.test('the same files are the same chart, whatever the order of the job', async t => {
  const held = new Held()
  const id = (content: string | Uint8Array) =>
    held.filesOf([{ path: 'a', content }], new Map([['x', Buffer.from('1')]]), () => {}).id

  t.equal(id('x'), id('x'))
  t.not(id('x'), id(Buffer.from('1')))
  t.not(id(Buffer.from('1')), id(Buffer.from('2')))
})

t.test('another profile is another render, and the one before is known again', async t => {
  const made = await repository()
  const field = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: blog}\ndata: {text: x{{ .Chart.Nothing }}}\n'
  await made.commit({ ...base, 'apps/blog/templates/map.yaml': field }, signal)
  const blog = async (version: string) => {
    made.declare('blog', { path: 'apps/blog', helm: { version } })
    const before = { ...made.counts }
    const candidate = await made.candidate('blog', signal)
    return [candidate?.kind, (Object.keys(before) as Cause[]).filter(cause => made.counts[cause] > before[cause])]
  }
  t.same(await blog('v3'), ['rejection', ['rendered']])
  t.same(await blog('v4'), ['release', ['rendered']])
  t.same(await blog('v3'), ['rejection', ['kept']])
  t.same(await blog('v4'), ['release', ['kept']])
})
