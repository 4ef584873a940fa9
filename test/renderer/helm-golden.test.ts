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

t.test('what the two have otherwise is each its own, in one process too', async t => {
  const said = (profile: '3' | '4', template: string): string => {
    const chart = [
      { name: 'Chart.yaml', bytes: Buffer.from('apiVersion: v2\nname: c\nversion: 1.0.0\n') },
      { name: 'values.yaml', bytes: Buffer.from('t: "{{ mustToYaml (dict `kind` `A`) }}"\n') },
      { name: 'templates/a.yaml', bytes: Buffer.from(template) },
    ]
    const given = { chart: { files: chart }, name: 'rel', namespace: 'demo', valueFiles: [], profile }
    try {
      return helmTemplate({ ...requestOf([]), ...given, chance: { random: count => new Uint8Array(count), now: 0 } }).text
    } catch (cause) {
      if (!(cause instanceof HelmFailure)) throw cause
      return cause.message
    }
  }
  const rows: readonly (readonly [template: string, three: RegExp, four: RegExp])[] = [
    ['kind: A\nb: {{ .Chart.Nothing }}x\n', /can't evaluate field Nothing/, /b: x/],
    ['{{ mustToYaml (dict "kind" "A") }}', /function "mustToYaml" not defined/, /kind: A/],
    ['{{ mustToToml (dict "kind" 1) | quote | printf "kind: %s" }}', /function "mustToToml" not defined/, /kind = 1/],
    ['{{ tpl .Values.t . }}', /function "mustToYaml" not defined/, /kind: A/],
    ['kind: A\nv: {{ .Capabilities.HelmVersion.Version }}\n', /v: v3\./, /v: v4\./],
    ['kind: A\nd: |\n  a\n  --- b\n', /./, /--- b/],
  ]
  for (const [template, three, four] of [...rows, ...rows]) {
    t.match(said('3', template), three, template)
    t.match(said('4', template), four, template)
  }
})
