// Helm's own suite of its engine, as data: which template sees what, and how errors are worded.
import t from 'tap'
import { workingCopy } from '../../renderer/chart/dependencies.js'
import type { LoadedChart } from '../../renderer/chart/load.js'
import type { Metadata } from '../../renderer/chart/metadata.js'
import { RenderFault } from '../../renderer/fault.js'
import { EngineError, pure, type Renderable, renderAll, renderTemplates } from '../../renderer/helm/engine.js'
import { defaultLimits, Meter } from '../../renderer/limits.js'
import { type Dict, isDict } from '../../renderer/value/value.js'
import { conformance, goValue, type Text, type Typed, textOf } from '../support/reference.js'

interface ChartNote {
  readonly name: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly templates?: readonly (readonly [string, Text])[]
  readonly files?: readonly (readonly [string, Text])[]
  readonly values?: Typed
  readonly charts?: readonly ChartNote[]
}

interface EngineCase {
  readonly name: string
  readonly chart?: ChartNote
  readonly templates?: Readonly<
    Record<string, { readonly template: string; readonly basePath?: string; readonly values?: Typed }>
  >
  readonly values?: Typed
  readonly options?: unknown
  readonly expected?: Readonly<Record<string, Text>>
  readonly error?: string
  readonly errorEndsWith?: string
}

const empty: Metadata = {
  name: '',
  home: '',
  sources: null,
  version: '',
  description: '',
  keywords: null,
  maintainers: null,
  icon: '',
  apiVersion: 'v2',
  condition: '',
  tags: '',
  appVersion: '',
  deprecated: false,
  annotations: null,
  kubeVersion: '',
  dependencies: null,
  type: '',
}

const modes = 'strict mode and lint mode belong to `helm lint`, which is not offered'
const deep = 'templates may be a hundred deep inside one another; Helm allows a thousand of one name'
const pins: Readonly<Record<string, string>> = {
  'TestFailErrors/2': modes,
  'TestAlterFuncMap_require/2': modes,
  TestRenderTplMissingKeyString: modes,
  'TestAlterFuncMap_include/2': deep,
  'TestRenderRecursionLimit/1': deep,
}

t.test('engine.json holds', async t => {
  const cases = conformance<EngineCase>('helm/engine.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  t.equal(cases.length, 32)
  for (const one of cases) {
    const pin = pins[one.name]
    if (pin === undefined) t.equal(problemOf(one), '', one.name)
    else t.not(problemOf(one), '', `${one.name} (pinned: ${pin})`)
  }
})

function problemOf(one: EngineCase): string {
  try {
    const got = rendered(one)
    const wrong = Object.entries(one.expected ?? {}).find(([path, text]) => got.get(path) !== textOf(text))
    if (one.error !== undefined || one.errorEndsWith !== undefined) return 'rendered, but should fail'
    return wrong === undefined ? '' : `${wrong[0]}: ${got.get(wrong[0])} instead of ${textOf(wrong[1])}`
  } catch (cause) {
    if (!(cause instanceof EngineError || cause instanceof RenderFault)) throw cause
    const fits = cause.message === one.error || (one.errorEndsWith !== undefined && cause.message.endsWith(one.errorEndsWith))
    return fits ? '' : cause.message
  }
}

function around() {
  return {
    meter: new Meter(defaultLimits),
    surroundings: pure({ random: count => new Uint8Array(count), now: 0 }),
  }
}

function rendered(one: EngineCase): ReadonlyMap<string, string> {
  if (one.chart === undefined) {
    const renderables = Object.entries(one.templates ?? {}).map(
      ([path, { template, basePath, values }]): [string, Renderable] => [
        path,
        { file: { name: path, text: template }, dot: dict(values), basePath: basePath ?? '' },
      ],
    )
    return renderAll(new Map(renderables), { ...around(), profile: '3' })
  }
  const top = dict(one.values)
  const release = top.get('Release')
  return renderTemplates({
    ...around(),
    chart: workingCopy(chartOf(one.chart)),
    values: dictOr(top.get('Values')),
    release: dictOr(release),
    capabilities: null,
    profile: '3',
  })
}

function dict(typed: Typed | undefined): Dict {
  return dictOr(goValue(typed ?? {}))
}

function dictOr(value: unknown): Dict {
  return value instanceof Map && isDict(value) ? value : new Map()
}

function chartOf(note: ChartNote): LoadedChart {
  const texts = (list: ChartNote['files']) => list ?? []
  return {
    metadata: {
      ...empty,
      name: note.name,
      version: note.metadata?.version ?? '',
    },
    values: dict(note.values),
    schema: null,
    templates: texts(note.templates).map(([name, text]) => ({ name, text: textOf(text) })),
    files: texts(note.files).map(([name, text]) => ({ name, bytes: new TextEncoder().encode(textOf(text)) })),
    dependencies: (note.charts ?? []).map(chartOf),
    warnings: [],
  }
}
