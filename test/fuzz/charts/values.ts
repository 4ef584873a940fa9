// Values that lead into the branches of a chart which its defaults leave out.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'

export interface Variant {
  readonly id: string
  /** Files of the chart's own, or values made up. */
  readonly file?: string
  readonly values?: unknown
}

/** The defaults, the chart's own test values, everything switched on, every switch the other way, some parts switched on alone. */
export function variantsOf(chart: string): readonly Variant[] {
  const own = ['ci', 'test', 'tests'].flatMap(folder => valuesIn(join(chart, folder)))
  const defaults = valuesOf(join(chart, 'values.yaml'))
  const parts = Object.keys(defaults).flatMap(key => {
    const values = switchedOn({ [key]: defaults[key] })
    return values === undefined ? [] : [{ id: `${key} on`, values }]
  })
  const made = [
    { id: 'all on', values: switchedOn(defaults) },
    { id: 'all turned', values: turned(defaults) },
  ].filter(({ values }) => values !== undefined)
  return [{ id: 'defaults' }, ...own.slice(0, 8), ...made, ...parts.slice(0, 4)]
}

function valuesIn(folder: string): readonly Variant[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return []
  const names = readdirSync(folder).filter(name => /values.*\.ya?ml$/.test(name))
  return names.map(name => ({ id: name, file: join(folder, name) }))
}

function valuesOf(file: string): Readonly<Record<string, unknown>> {
  try {
    const values = load(readFileSync(file, 'utf8'), { json: true })
    return isMap(values) ? values : {}
  } catch {
    return {}
  }
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

function switchedOn(values: unknown): unknown {
  return mapped(values, (key, value) => (value === false && (key === 'enabled' || key === 'create') ? true : undefined))
}

function turned(values: unknown): unknown {
  return mapped(values, (_, value) => (typeof value === 'boolean' ? !value : undefined))
}

/** What `change` answers for the leaves, in the same shape; undefined where nothing changes. */
function mapped(values: unknown, change: (key: string, value: unknown) => unknown): unknown {
  if (!isMap(values)) return undefined
  const entries = Object.entries(values).flatMap(([key, value]) => {
    const changed = change(key, value) ?? mapped(value, change)
    return changed === undefined ? [] : [[key, changed] as const]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
