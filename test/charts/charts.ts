// The charts of this repository as a user would render them: their folders, and what they come to with values of ci/.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { noSets } from '../../renderer/helm/template.js'
import {
  type Files,
  helmTemplate,
  type Rendered,
  render,
  StickyBook,
  type TemplateRequest,
  walked,
} from '../../renderer/index.js'
import { requestOf } from '../support/helm-flags.js'
import { options } from '../support/render.js'

export const names = ['cron', 'stateful', 'web', 'worker'] as const
export const sets = ['default', 'hardened', 'kubernetes', 'node'] as const

export type Name = (typeof names)[number]
export type Set = (typeof sets)[number]

interface ChartFile {
  readonly name: string
  readonly bytes: Uint8Array
}

export function filesIn(name: Name): ChartFile[] {
  const folder = `charts/${name}`
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const paths = entries.map(entry => relative(folder, join(entry.parentPath, entry.name)))
  return walked(paths).map(path => ({ name: path, bytes: readFileSync(join(folder, path)) }))
}

function valuesOf(name: Name, set: Set): readonly ChartFile[] {
  return set === 'default' ? [] : [{ name: `${set}-values.yaml`, bytes: readFileSync(`charts/${name}/ci/${set}-values.yaml`) }]
}

/** As `slipway render` prints it. */
export function text(name: Name, set: Set, more: Partial<TemplateRequest['sets']> = {}): string {
  return helmTemplate({
    ...requestOf(['--kube-version', 'v1.36.0']),
    chart: { files: filesIn(name) },
    name: 'demo',
    namespace: 'default',
    valueFiles: valuesOf(name, set),
    sets: { ...noSets, ...more },
    chance: { random: count => new Uint8Array(count), now: 0 },
  }).text
}

/** As the controller gets it. `values`: over those of the set; `kept`: what earlier renders minted. */
export function objects(
  name: Name,
  set: Set,
  values: Readonly<Record<string, unknown>> = {},
  book = new StickyBook({ salt: 'demo', values: {}, answers: {} }, { random: count => new Uint8Array(count), now: 0 }),
): Rendered {
  const bytes = new Map(filesIn(name).map(file => [file.name, file.bytes] as const))
  const files: Files = { paths: [...bytes.keys()], read: path => bytes.get(path) ?? null }
  return render(
    files,
    { ...options, release: { name: 'demo', namespace: 'default' }, valueFiles: valuesOf(name, set), values },
    book,
  )
}
