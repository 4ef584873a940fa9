// A chart of our own that uses what charts use, against what the real `helm template` (3.22) printed of it (golden/shop.json).
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { walked } from '../../renderer/chart/load.js'
import { HelmFailure, helmTemplate } from '../../renderer/helm/template.js'
import { requestOf } from '../support/helm-flags.js'

interface GoldenCase {
  readonly name: string
  readonly args: readonly string[]
  readonly expected?: string
  readonly error?: string
}

const cases = JSON.parse(readFileSync('test/renderer/golden/shop.json', 'utf8')) as readonly GoldenCase[]

t.test('the chart renders as Helm renders it', async t => {
  for (const one of cases) t.equal(rendered('shop', one.args), one.expected ?? `Error: ${one.error}`, one.name)
})

function rendered(chart: string, args: readonly string[]): string {
  try {
    return helmTemplate({
      ...requestOf(args),
      chart: { files: filesOf(`test/renderer/golden/${chart}`) },
      name: 'rel',
      namespace: 'demo',
      valueFiles: [],
      chance: { random: count => new Uint8Array(count), now: 0 },
    }).text
  } catch (cause) {
    if (!(cause instanceof HelmFailure)) throw cause
    return `Error: ${cause.message}`
  }
}

function filesOf(root: string) {
  const paths = readdirSync(root, { recursive: true })
    .map(String)
    .filter(path => statSync(join(root, path)).isFile())
  return walked(paths).map(name => ({ name, bytes: readFileSync(join(root, name)) }))
}
