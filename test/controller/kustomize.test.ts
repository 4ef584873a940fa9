// A folder with a kustomization.yaml -> what the machine's kustomize makes of it, with what a declaration changes, and with nothing else.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import t from 'tap'
import type { KustomizeOptions } from '../../controller/application.js'
import { edited, substituted } from '../../controller/kustomize/edit.js'
import { openKustomize } from '../../controller/kustomize/tree.js'
import { readYaml } from '../../renderer/index.js'
import { repository } from '../support/git-tree.js'
import type { Tree } from '../support/render.js'

const path = process.env.PATH ?? ''
const isThere = path.split(delimiter).some(folder => ['kustomize', 'kubectl'].some(name => existsSync(join(folder, name))))
const skip = !isThere && 'NOTHING IS BUILT WITH KUSTOMIZE HERE: neither kustomize nor kubectl is on PATH'
const directory = mkdtempSync(join(tmpdir(), 'slipway-kustomize-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const { signal } = new AbortController()

const plain: KustomizeOptions = {
  namePrefix: '',
  nameSuffix: '',
  namespace: '',
  images: [],
  replicas: [],
  patches: [],
  components: [],
  ignoreMissingComponents: false,
  commonLabels: {},
  commonAnnotations: {},
  commonAnnotationsEnvsubst: false,
  forceCommonLabels: false,
  forceCommonAnnotations: false,
  labelWithoutSelector: false,
  labelIncludeTemplates: false,
}
const env = { ARGOCD_APP_NAME: 'shop' }

t.test('a declaration changes a kustomization as kustomize edit would', async t => {
  const cases: readonly (readonly [string, object, Partial<KustomizeOptions>, object])[] = [
    ['nothing', { namePrefix: 'a-' }, {}, { namePrefix: 'a-' }],
    [
      'prefix, suffix, namespace',
      { namePrefix: 'a-' },
      { namePrefix: 'b-', nameSuffix: '-c', namespace: 'n' },
      { namePrefix: 'b-', nameSuffix: '-c', namespace: 'n' },
    ],
    [
      'images by name',
      {
        images: [
          { name: 'web', newTag: '1' },
          { name: 'db', newTag: '9' },
        ],
      },
      { images: ['web:2', 'cache=host:5000/redis@sha256:ab', 'mq=rabbit:3'] },
      {
        images: [
          { name: 'db', newTag: '9' },
          { name: 'web', newTag: '2' },
          { name: 'cache', newName: 'host:5000/redis', digest: 'sha256:ab' },
          { name: 'mq', newName: 'rabbit', newTag: '3' },
        ],
      },
    ],
    [
      'replicas by name',
      { replicas: [{ name: 'web', count: 1 }] },
      { replicas: [{ name: 'web', count: 3 }] },
      { replicas: [{ name: 'web', count: 3 }] },
    ],
    [
      'labels',
      { commonLabels: { a: '1' } },
      { commonLabels: { b: '$ARGOCD_APP_NAME-${NONE}x' } },
      { commonLabels: { a: '1', b: 'shop-x' } },
    ],
    [
      'labels by force',
      { commonLabels: { a: '1' } },
      { commonLabels: { a: '2' }, forceCommonLabels: true },
      { commonLabels: { a: '2' } },
    ],
    [
      'labels without selectors',
      {},
      { commonLabels: { a: '2' }, labelWithoutSelector: true, labelIncludeTemplates: true },
      { labels: [{ pairs: { a: '2' }, includeSelectors: false, includeTemplates: true }] },
    ],
    [
      'annotations as they are',
      {},
      { commonAnnotations: { a: '$ARGOCD_APP_NAME' } },
      { commonAnnotations: { a: '$ARGOCD_APP_NAME' } },
    ],
    [
      'annotations filled in',
      {},
      { commonAnnotations: { a: '${ARGOCD_APP_NAME}' }, commonAnnotationsEnvsubst: true },
      { commonAnnotations: { a: 'shop' } },
    ],
    [
      'patches and components after those there',
      { patches: [{ path: 'a' }] },
      { patches: [{ path: 'b' }], components: ['c'] },
      { patches: [{ path: 'a' }, { path: 'b' }], components: ['c'] },
    ],
  ]
  for (const [what, given, change, wanted] of cases) t.same(edited(given as never, { ...plain, ...change }, env), wanted, what)
  t.throws(() => edited({ commonLabels: { a: '1' } }, { ...plain, commonLabels: { a: '2' } }, env), {
    message: /commonLabels of the kustomization has a already: .*forceCommonLabels/,
  })
  t.equal(substituted('$A ${B} $', { A: '1', B: '2' }), '1 2 $')
})

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n`
const files: Tree = {
  'apps/shop/kustomization.yaml': 'namePrefix: eu-\nresources: [../base, own.yaml]\n',
  'apps/shop/own.yaml': configMap('own'),
  'apps/base/kustomization.yaml': 'resources: [web.yaml]\n',
  'apps/base/web.yaml': configMap('web'),
}

/** Names of what is built, or the reason why nothing is. */
async function built(tree: Tree, options: KustomizeOptions | null = null, where = path): Promise<string> {
  const kustomize = openKustomize({ directory, path: where })
  try {
    const made = await kustomize.treeOf(
      {
        tree: repository(tree, 'apps/shop'),
        path: 'apps/shop',
        treeAt: async folder => (Object.keys(tree).some(file => file.startsWith(`${folder}/`)) ? repository(tree, folder) : null),
        options,
        env,
      },
      signal,
    )
    if (made === null) return 'none'
    const [file] = await made.list()
    const text = Buffer.from(await made.read(file?.oid ?? '')).toString('utf8')
    return readYaml(text, 'built')
      .map(object => (object as { metadata: { name: string } }).metadata.name)
      .sort()
      .join(' ')
  } catch (error) {
    return (error as Error).message
  }
}

t.test('a folder is built with the folders that it builds on', { skip }, async t => {
  t.equal(await built(files), 'eu-own eu-web')
  t.equal(await built(files, { ...plain, namePrefix: 'us-', nameSuffix: '-1' }), 'us-own-1 us-web-1')
  t.equal(await built({ 'apps/shop/a.yaml': configMap('a') }), 'none', 'a folder without a kustomization is none of its')
  const component: Tree = {
    ...files,
    'apps/extra/kustomization.yaml': 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [extra.yaml]\n',
    'apps/extra/extra.yaml': configMap('extra'),
  }
  t.equal(await built(component, { ...plain, components: ['../extra'] }), 'eu-extra eu-own eu-web')
  t.match(
    await built(files, { ...plain, components: ['../extra'] }),
    /apps\/shop\/kustomization\.yaml: \.\.\/extra is not in this commit/,
  )
  t.equal(await built(files, { ...plain, components: ['../extra'], ignoreMissingComponents: true }), 'eu-own eu-web')
  t.same(readdirSync(directory), [], 'nothing is left behind')
})

t.test('what another one has is found by what went into it, and an unrelated file changes nothing', { skip }, async t => {
  const kustomize = openKustomize({ directory, path })
  const idOf = async (tree: Tree, options: KustomizeOptions | null = null) => {
    const treeAt = async (folder: string) => repository(tree, folder)
    return (await kustomize.treeOf({ tree: repository(tree), path: 'apps/shop', treeAt, options, env }, signal))?.contentId
  }
  const first = await idOf(files)
  t.equal(await idOf({ ...files, 'apps/other/x.yaml': configMap('x') }), first)
  t.not(await idOf({ ...files, 'apps/base/web.yaml': configMap('other') }), first, 'a file of what it builds on')
  t.not(await idOf(files, { ...plain, namePrefix: 'us-' }), first, 'what the declaration changes')
})

t.test('nothing is fetched, run or read from elsewhere', async t => {
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.end(configMap('fetched'))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.yaml`
  const kustomization = (text: string): Tree => ({ ...files, 'apps/shop/kustomization.yaml': text })
  const cases: readonly (readonly [string, Tree, RegExp])[] = [
    ['a remote file', kustomization(`resources: ["${url}"]`), /resources: "http:.*nothing is fetched while building/],
    [
      'a remote repository',
      kustomization('resources: ["github.com/org/repo//base?ref=v1"]'),
      /github\.com.* is not in this commit/,
    ],
    ['a repository over ssh', kustomization('resources: ["git@host:org/repo"]'), /nothing is fetched while building/],
    [
      'a remote patch',
      kustomization(`resources: [own.yaml]\npatches: [{ path: "${url}" }]`),
      /patches\.path: .*nothing is fetched/,
    ],
    [
      'a remote file of a ConfigMap',
      kustomization(`configMapGenerator: [{ name: x, files: ["k=${url}"] }]`),
      /configMapGenerator\.files: .*nothing is fetched/,
    ],
    [
      'a remote schema',
      kustomization(`resources: [own.yaml]\nopenapi: { path: "${url}" }`),
      /openapi\.path: .*nothing is fetched/,
    ],
    [
      'a remote patch of a transformer',
      {
        ...kustomization('resources: [own.yaml]\ntransformers: [t.yaml]\n'),
        'apps/shop/t.yaml': `apiVersion: builtin\nkind: PatchTransformer\nmetadata: { name: x }\npath: ${url}\n`,
      },
      /http:.* is not of this commit/,
    ],
    [
      'the same, inline',
      kustomization(
        `resources: [own.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: { name: x }\n  path: ${url}\n`,
      ),
      /http:.* is not of this commit/,
    ],
    ['a chart', kustomization('helmCharts: [{ name: x, repo: "https://charts" }]'), /helmCharts: charts are not inflated/],
    ['out of the repository', kustomization('resources: ["../../../etc"]'), /leads out of the repository/],
    ['a folder that is not there', kustomization('resources: ["../gone"]'), /\.\.\/gone is not in this commit/],
    [
      'a folder without a kustomization',
      { ...kustomization('resources: ["../raw"]'), 'apps/raw/a.yaml': configMap('a') },
      /apps\/raw has no kustomization\.yaml/,
    ],
  ]
  for (const [what, tree, message] of cases) t.match(await built(tree), message, what)
  t.match(await built(files, null, '/nonexistent'), /neither kustomize nor kubectl on the PATH of the controller/)
  t.match(
    await built({ 'apps/shop/a.yaml': configMap('a') }, plain),
    /has no kustomization\.yaml, and spec\.source\.kustomize wants one/,
  )
  t.equal(asked, 0)
})

t.test('what kustomize refuses itself is told in its words, without paths of this machine', { skip }, async t => {
  const kustomization = (text: string): Tree => ({ ...files, 'apps/shop/kustomization.yaml': text })
  const outside = await built({ ...kustomization('resources: [own.yaml]\npatches: [{ path: ../base/web.yaml }]') })
  t.match(outside, /web\.yaml|patch/)
  t.notOk(outside.includes(directory), outside)
  t.match(await built(kustomization('resources: [own.yaml]\ngenerators: [gen.yaml]\n')), /gen\.yaml/)
  const exec: Tree = {
    ...kustomization('resources: [own.yaml]\ngenerators: [gen.yaml]\n'),
    'apps/shop/gen.yaml':
      'apiVersion: x.io/v1\nkind: X\nmetadata: { name: x, annotations: { config.kubernetes.io/function: "exec: { path: /bin/true }" } }\n',
  }
  t.match(await built(exec), /plugin|external/)
})
