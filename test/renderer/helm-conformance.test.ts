// Helm's own suites as data: --set, coalescing, dependencies, .helmignore, orders, splitting, and whole charts.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Chart, enableDependencies, importValues, workingCopy } from '../../renderer/chart/dependencies.js'
import { ignoreRules } from '../../renderer/chart/ignore.js'
import { type LoadedChart, walked } from '../../renderer/chart/load.js'
import { ChartError, type Dependency, type Metadata } from '../../renderer/chart/metadata.js'
import { byKind, sortDocuments, split } from '../../renderer/helm/output.js'
import { HelmFailure, helmTemplate } from '../../renderer/helm/template.js'
import { type Dict, Int, isDict, isList, type Value } from '../../renderer/value/value.js'
import { coalesceTables, coalesceValues, mergeValues } from '../../renderer/values/coalesce.js'
import { JsonError } from '../../renderer/values/json.js'
import { type Reading, StrvalsError, setInto } from '../../renderer/values/strvals.js'
import { requestOf } from '../support/helm-flags.js'
import { conformance, goValue, referenceDir, type Typed } from '../support/reference.js'

type Pins = Readonly<Record<string, string>>

function table<T extends { readonly name: string }>(
  file: string,
  count: number,
  pins: Pins,
  problemOf: (one: T) => string,
): void {
  t.test(`${file} holds`, async t => {
    const cases = conformance<T>(`helm/${file}`)
    if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
    t.equal(cases.length, count)
    for (const one of cases) {
      const pin = pins[one.name]
      if (pin === undefined) t.equal(problemOf(one), '', one.name)
      else t.not(problemOf(one), '', `${one.name} (pinned: ${pin})`)
    }
  })
}

/** '' where both are the same. */
function difference(got: Value, wanted: Value): string {
  const [left, right] = [canonical(got), canonical(wanted)]
  return left === right ? '' : `${left} instead of ${right}`
}

function canonical(value: Value): string {
  if (value instanceof Int) return String(value.value)
  if (isList(value)) return `[${value.map(canonical).join(',')}]`
  if (!isDict(value)) return JSON.stringify(value)
  const keys = [...value.keys()].sort()
  return `{${keys.map(key => `${JSON.stringify(key)}:${canonical(value.get(key) ?? null)}`).join(',')}}`
}

function dict(typed: Typed | undefined): Dict {
  const value = goValue(typed ?? {})
  return isDict(value) ? value : new Map()
}

interface SetCase {
  readonly name: string
  readonly function: string
  readonly input: string
  readonly base?: Typed
  readonly expected?: Typed
  readonly error?: string | true
}

const readings: Readonly<Record<string, Reading>> = {
  Parse: { kind: 'typed' },
  ParseString: { kind: 'string' },
  ParseJSON: { kind: 'json' },
  ParseLiteral: { kind: 'literal' },
  ParseFile: { kind: 'file', read: () => 'value1' },
}

const inner = 'a function inside the library; lists are filled by the grammar here'

table<SetCase>(
  'strvals.json',
  131,
  {
    'TestParseJSON/4': 'a nil map to set into does not come up: there is always one',
    TestToYAML: 'a test of the library’s own helper',
    'TestSetIndex short': inner,
    'TestSetIndex equal': inner,
    'TestSetIndex long': inner,
    'TestSetIndex negative': inner,
    'TestSetIndex large': inner,
  },
  one => {
    const reading = readings[one.function.replace('Into', '').replace(/^Parse$/, 'Parse')]
    if (reading === undefined || typeof one.input !== 'string') return 'no such function'
    const into = dict(one.base)
    try {
      setInto(into, one.input, reading)
      return one.error === undefined ? difference(into, goValue(one.expected ?? {})) : `set, but should fail: ${one.error}`
    } catch (cause) {
      if (!(cause instanceof StrvalsError || cause instanceof JsonError)) throw cause
      return one.error === true || cause.message === one.error ? '' : `${cause.message} instead of ${one.error}`
    }
  },
)

interface ChartNote {
  readonly name: string
  readonly version?: string
  readonly values?: Typed
  readonly charts?: readonly ChartNote[]
  readonly dependencies?: readonly Readonly<Record<string, Typed>>[] | null
}

function chartOf(note: ChartNote): LoadedChart {
  const metadata = {
    name: note.name,
    version: note.version ?? '0.1.0',
    dependencies: note.dependencies?.map(dependencyOf) ?? null,
  }
  return {
    metadata: metadata as unknown as Metadata,
    values: dict(note.values),
    schema: null,
    templates: [],
    files: [],
    dependencies: (note.charts ?? []).map(chartOf),
    warnings: [],
  }
}

function dependencyOf(note: Readonly<Record<string, Typed>>): Dependency {
  const text = (field: string): string => String(note[field] ?? '')
  return {
    name: text('name'),
    version: text('version'),
    repository: text('repository'),
    condition: text('condition'),
    tags: (note.tags as readonly string[] | undefined) ?? null,
    enabled: note.enabled === true,
    importValues: note['import-values'] === undefined ? null : (goValue(note['import-values']) as Value[]),
    alias: text('alias'),
  }
}

interface CoalesceCase {
  readonly name: string
  readonly function: string
  readonly chart?: ChartNote
  readonly values?: Typed
  readonly dst?: Typed
  readonly src?: Typed
  readonly expected: Typed
}

table<CoalesceCase>('coalesce.json', 8, {}, one => {
  const merge = one.function.startsWith('Merge')
  if (one.chart === undefined) return difference(coalesceTables(dict(one.dst), dict(one.src), merge), goValue(one.expected))
  const chart = workingCopy(chartOf(one.chart))
  const values = dict(one.values)
  return difference(merge ? mergeValues(chart, values) : coalesceValues(chart, values), goValue(one.expected))
})

interface DependencyCase {
  readonly name: string
  readonly function: string
  readonly chart: ChartNote
  readonly values?: Typed
  readonly merge?: boolean
  readonly enabled?: readonly string[]
  readonly expected: ChartNote
}

table<DependencyCase>(
  'dependencies.json',
  20,
  { 'TestProcessDependencyImportValues/1': 'the way without nulls is that of other commands than template and install' },
  one => {
    const chart = workingCopy(chartOf(one.chart))
    if (one.function === 'processDependencyImportValues') {
      importValues(chart)
      return difference(chart.values, dict(one.expected.values))
    }
    enableDependencies(chart, dict(one.values), '')
    const left = names(chart, '').sort().join(' ')
    const wanted = [...(one.enabled ?? [])].sort().join(' ')
    return left === wanted ? '' : `${left} instead of ${wanted}`
  },
)

function names(chart: Chart, above: string): string[] {
  const own = above + chart.metadata.name
  return [own, ...chart.dependencies.flatMap(below => names(below, `${own}.`))]
}

interface IgnoreCase {
  readonly name: string
  readonly rules: string
  readonly path: string
  readonly directory: boolean
  readonly ignored?: boolean
  readonly error?: true
}

table<IgnoreCase>('ignore.json', 29, {}, one => {
  try {
    const rules = ignoreRules(one.rules)
    if (one.ignored === undefined) return one.error === true ? 'read, but should be refused' : ''
    return rules(one.path, one.directory) === one.ignored ? '' : one.path
  } catch (cause) {
    if (!(cause instanceof ChartError)) throw cause
    return one.error === true ? '' : cause.message
  }
})

interface KindCase {
  readonly name: string
  readonly order: 'install' | 'uninstall'
  readonly input?: readonly { readonly name: string; readonly kind: string }[]
  readonly expected?: readonly string[]
}

t.test('kinds are sorted in Helm’s order of installation', async t => {
  const cases = conformance<KindCase>('helm/kind-order.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  const ours = cases.filter(({ order, input, expected }) => order === 'install' && input !== undefined && expected !== undefined)
  t.ok(ours.length >= 1)
  for (const { name, input, expected } of ours)
    t.same(
      byKind(input ?? [], '3').map(item => item.name),
      expected,
      name,
    )
})

interface ManifestCase {
  readonly name: string
  readonly files?: Readonly<Record<string, string>>
  readonly text?: string
  readonly documents?: readonly string[]
  readonly hooks?: readonly { readonly path: string; readonly name: string }[]
  readonly others?: readonly { readonly path: string; readonly name: string }[]
}

t.test('documents are split and hooks told apart as Helm does', async t => {
  const cases = conformance<ManifestCase>('helm/manifests.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  for (const one of cases) {
    if (one.text !== undefined) t.same(split(one.text, '3'), one.documents)
    else {
      const { documents, hooks } = sortDocuments(new Map(Object.entries(one.files ?? {})), '3')
      const brief = (list: readonly { readonly path: string; readonly name: string }[] = []): string[] =>
        list.map(({ path, name }) => `${path} ${name}`).sort()
      t.same(brief(hooks), brief(one.hooks))
      t.same(brief(documents), brief(one.others))
    }
  }
})

interface TemplateCase {
  readonly name: string
  readonly command: string
  readonly chart: string
  readonly release: string
  readonly namespace: string
  readonly expected: string
  readonly error?: true
}

table<TemplateCase>(
  'template.json',
  21,
  {
    'check name template': 'the name is given as it is; --name-template is not taken',
    'chart with template with invalid yaml (--debug)': 'what is no YAML is not printed',
  },
  one => {
    const folder = referenceDir('conformance/helm') ?? ''
    const words = one.command.match(/'[^']*'|"[^"]*"|\S+/g)?.map(word => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2')) ?? []
    const args = words.slice(2).filter(word => !/^charts\/[^/]*$/.test(word))
    const flags = args.flatMap(word => (word.startsWith('--') ? word.split(/=(.*)/s).slice(0, 2) : [word]))
    const at = flags.findIndex(flag => flag === '--values' || flag === '-f')
    const files = at < 0 ? [] : words.filter(word => word.endsWith('values.yaml'))
    const expected = readFileSync(join(folder, one.expected), 'utf8').trim()
    try {
      const { text } = helmTemplate({
        ...requestOf(withoutValues(flags)),
        chart: { files: filesOf(join(folder, one.chart)) },
        name: one.release,
        namespace: one.namespace,
        valueFiles: files.map(name => ({ name, bytes: readFileSync(join(folder, 'template', name)) })),
        chance: { random: count => new Uint8Array(count), now: 0 },
      })
      return text.trim() === expected ? '' : text
    } catch (cause) {
      if (!(cause instanceof HelmFailure)) return String((cause as Error).message)
      return `Error: ${cause.message}` === expected ? '' : cause.message
    }
  },
)

function withoutValues(flags: readonly string[]): string[] {
  return flags.filter(flag => flag !== '--values' && flag !== '-f' && !flag.endsWith('values.yaml'))
}

function filesOf(root: string) {
  const paths = readdirSync(root, { recursive: true })
    .map(String)
    .filter(path => statSync(join(root, path)).isFile())
  return walked(paths).map(name => ({ name, bytes: readFileSync(join(root, name)) }))
}
