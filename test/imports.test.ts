// Holds the one rule worth a machine: values flow one way between the rooms (README, "The rooms"). Types may cross.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = normalize(join(dirname(fileURLToPath(import.meta.url)), '../..'))

interface Rule {
  readonly files: RegExp
  /** Paths of ours that may be imported as values. */
  readonly ours: RegExp
  /** Packages that may be imported; node: always may, unless `node` says otherwise. */
  readonly packages?: RegExp
  readonly node?: RegExp
}

const decisions = 'controller/(rollout|sync|health|diff|release|application|ledger|fields|words|steps|sticky)'
const edges = ['git', 'charts', 'kustomize', 'render', 'cluster', 'store', 'api']

const rules: readonly Rule[] = [
  {
    files: /^renderer\//,
    ours: /^renderer\//,
    packages: /^(handlebars\/|re2js$|bcryptjs$|smol-toml$)/,
    node: /^node:(crypto|path|buffer|zlib)$/,
  },
  { files: /^runtime\/contract\//, ours: /^runtime\/contract\//, packages: /^$/ },
  { files: /^runtime\/workloads\//, ours: /^runtime\/(contract|workloads|pods\/types)/, packages: /^$/, node: /^node:crypto$/ },
  ...['docker', 'network', 'probe', 'volumes', 'nats'].map(room => ({
    files: new RegExp(`^runtime/${room}/`),
    ours: new RegExp(
      `^runtime/(contract|workloads|${room}|failpoint|loop|alone|whole-file|proc|pods/(types|config-error|downward)\\.js)`,
    ),
  })),
  { files: /^runtime\//, ours: /^runtime\// },
  {
    files: new RegExp(`^${decisions}[./]`),
    ours: new RegExp(`^(${decisions}|runtime/contract)`),
    packages: /^fast-json-patch$/,
    node: /^node:(crypto|util)$/,
  },
  ...edges.map(room => ({
    files: new RegExp(`^controller/${room}/`),
    ours: new RegExp(
      `^(${decisions}|controller/${room}|controller/view|runtime/contract|runtime/failpoint|runtime/whole-file${['render', 'charts', 'kustomize'].includes(room) ? '|renderer/index' : ''}${room === 'cluster' || room === 'store' ? '|runtime/nats' : ''})`,
    ),
  })),
  { files: /^controller\/ui\//, ours: /^controller\/(ui\/|steps\.js)/ },
]

interface Import {
  readonly from: string
  readonly to: string
}

function sources(dir: string): readonly string[] {
  return readdirSync(join(root, dir), { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map(entry => relative(root, join(entry.parentPath, entry.name)))
}

/** Value imports only: `import type` and imports of nothing but types are left out. */
function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found = [
    ...text.matchAll(/^(?:import|export)\s+(?!type\b)((?:[^'";]*?\sfrom\s+)?)['"]([^'"]+)['"]/gm),
    ...text.matchAll(/\bimport\(\s*()['"]([^'"]+)['"]/g),
  ]
  return found.filter(([, names]) => !onlyTypes(names ?? '')).map(([, , to]) => ({ from: file, to: resolved(file, to ?? '') }))
}

function onlyTypes(names: string): boolean {
  const inside = /\{([^}]*)\}/.exec(names)?.[1]
  return (
    inside !== undefined &&
    inside.trim() !== '' &&
    inside.split(',').every(name => name.trim() === '' || /^type\s/.test(name.trim()))
  )
}

function resolved(file: string, to: string): string {
  return to.startsWith('.') ? normalize(join(dirname(file), to)) : to
}

function isBroken(rule: Rule, { to }: Import): boolean {
  if (to.startsWith('node:')) return rule.node !== undefined && !rule.node.test(to)
  if (/^(controller|renderer|runtime|examples|test)\//.test(to)) return !rule.ours.test(to)
  return rule.packages !== undefined && !rule.packages.test(to)
}

t.test('values flow one way between the rooms', async t => {
  const files = ['controller', 'renderer', 'runtime'].flatMap(sources)

  const broken = files.flatMap(file => {
    const rule = rules.find(rule => rule.files.test(file))
    return rule === undefined ? [] : importsOf(file).filter(found => isBroken(rule, found))
  })

  t.ok(files.length > 0)
  t.same(
    broken.map(({ from, to }) => `${from} imports ${to}`),
    [],
  )
})
