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

function casesIn(file: string): readonly GoldenCase[] {
  return JSON.parse(readFileSync(`test/renderer/golden/${file}`, 'utf8')) as readonly GoldenCase[]
}

t.test('the chart renders as Helm renders it', async t => {
  for (const one of casesIn('shop.json')) t.equal(rendered(one.args, '3'), one.expected ?? `Error: ${one.error}`, one.name)
})

t.test('with the profile of Helm 4 it renders as Helm 4.2 renders it', async t => {
  for (const one of casesIn('shop-helm4.json')) t.equal(rendered(one.args, '4'), one.expected, one.name)
})

function rendered(args: readonly string[], profile: '3' | '4'): string {
  try {
    return helmTemplate({
      ...requestOf(args),
      profile,
      chart: { files: filesOf('test/renderer/golden/shop') },
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
