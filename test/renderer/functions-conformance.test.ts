// Sprig's, mergo's and Helm's own tests of template functions, through the evaluator; where ../shared is there.
import t from 'tap'
import { CallError } from '../../renderer/functions/signature.js'
import { mergeInto } from '../../renderer/functions/sprig/merge.js'
import { Time } from '../../renderer/functions/sprig/time.js'
import { execute, Namespace, parse, Rendering } from '../../renderer/gotemplate/index.js'
import { helmFunctions } from '../../renderer/helm/functions.js'
import { type Dict, typed, type Value } from '../../renderer/value/value.js'
import { callFunction, looseCall, noted } from '../support/go-values.js'
import { conformance } from '../support/reference.js'
import { goValue, type Typed } from '../support/typed-values.js'

interface FunctionCase {
  readonly name: string
  readonly template?: string
  readonly vars?: Typed
  readonly varsAfter?: Typed
  readonly function?: string
  readonly args?: readonly Typed[]
  readonly expected?: Typed
  readonly error?: string
}

const tables: Readonly<Record<string, number>> = {
  'sprig/crypto.json': 14,
  'sprig/date.json': 17,
  'sprig/defaults.json': 42,
  'sprig/dict.json': 38,
  'sprig/flow.json': 1,
  'sprig/functions.json': 33,
  'sprig/list.json': 127,
  'sprig/numeric.json': 85,
  'sprig/reflect.json': 10,
  'sprig/regex.json': 12,
  'sprig/semver.json': 8,
  'sprig/strings.json': 51,
  'sprig/url.json': 3,
  'helm/engine-funcs.json': 23,
}

/** Decisions, not states. */
const pins: Readonly<Record<string, string>> = {
  'sprig/functions.json:TestEnv/1': 'no environment in the renderer; Helm takes env away too',
  'sprig/functions.json:TestExpandEnv/1': 'no environment in the renderer; Helm takes expandenv away too',
}

const now = 1_700_000_000_000

/** Times are the renderer's own; all else as in every table. */
function value(json: Typed): Value {
  if (json === null || typeof json !== 'object') return goValue(json)
  if (Array.isArray(json)) return json.map(value)
  const object = json as { readonly [key: string]: Typed }
  if (object.$type === '*time.Time') return value(object.v as Typed)
  if (object.$type === 'time.Time') return timeOf(object)
  if (String(object.$kind).startsWith('map[string]')) return typed(value(object.v as Typed) as Dict, String(object.$type))
  if ('$type' in object) return goValue(json)
  return new Map(Object.entries(object).map(([key, item]) => [key, value(item)]))
}

function timeOf(json: { readonly [key: string]: Typed }): Time {
  const seconds = typeof json.secondsFromNow === 'number' ? now / 1000 + json.secondsFromNow : Date.parse(String(json.v)) / 1000
  return new Time(Math.floor(seconds))
}

function problemOf(one: FunctionCase): string {
  if (one.function !== undefined) return functionProblem(one)
  const vars = value(one.vars ?? null)
  const got = rendered(one.template ?? '', vars)
  if (one.error !== undefined) return got.error === one.error ? '' : `wants the error ${one.error}, got ${JSON.stringify(got)}`
  if (one.expected !== undefined && got.output !== one.expected)
    return `wants ${JSON.stringify(one.expected)}, got ${JSON.stringify(got)}`
  if (one.varsAfter === undefined) return ''
  const [has, wants] = [vars, value(one.varsAfter)].map(each => JSON.stringify(noted(each)))
  return has === wants ? '' : `wants the arguments ${wants} afterwards, got ${has}`
}

function rendered(text: string, dot: Value): { readonly output?: string; readonly error?: string } {
  try {
    const call = looseCall(now)
    const file = parse('test', text, helmFunctions)
    const templates = new Namespace()
    templates.add(file)
    return { output: execute(templates, file.main, dot, call, new Rendering(call.meter)) }
  } catch (error) {
    return { error: (error as Error).message.replace(/HELM_ERR_(START|END)/g, '') }
  }
}

/** Sprig's own names of what its table calls otherwise. */
const goNames: Readonly<Record<string, string>> = { toFloat64: 'float64', toInt64: 'int64', toInt: 'int' }

function functionProblem(one: FunctionCase): string {
  const name = goNames[one.function ?? ''] ?? one.function ?? ''
  const got = JSON.stringify(noted(callFunction(name, (one.args ?? []).map(value))))
  const wanted = JSON.stringify(noted(value(one.expected ?? null)))
  return got === wanted ? '' : `wants ${wanted}, got ${got}`
}

for (const [file, count] of Object.entries(tables)) {
  t.test(`functions hold to ${file}`, async t => {
    const cases = conformance<FunctionCase>(file)
    if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
    t.equal(cases.length, count)
    for (const one of cases) {
      const pin = pins[`${file}:${one.name}`]
      const problem = problemOf(one)
      if (pin === undefined) t.equal(problem, '', one.name)
      else t.not(problem, '', `${one.name} (pinned: ${pin})`)
    }
  })
}

interface MergeCase {
  readonly name: string
  readonly options: readonly string[]
  readonly dst: Typed
  readonly src: Typed
  readonly expected?: Typed
  readonly error?: string
}

const unused = "an option of mergo that Sprig's functions do not set"
const mergePins: Readonly<Record<string, string>> = {
  TestIssue209: unused,
  TestIssue220: unused,
  TestIssue89MergeWithEmptyValue: unused,
  'TestSlice/10': unused,
  'TestSlice/11': unused,
  'TestMergeMapWithInnerSliceOfDifferentType/1': unused,
  'TestMergeMapWithInnerSliceOfDifferentType/2': unused,
}

t.test('maps merge as in mergo.json', async t => {
  const cases = conformance<MergeCase>('mergo.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  t.equal(cases.length, 31)
  for (const one of cases) {
    const pin = mergePins[one.name]
    const problem = mergeProblem(one)
    if (pin === undefined) t.equal(problem, '', one.name)
    else t.not(problem, '', `${one.name} (pinned: ${pin})`)
  }
})

function mergeProblem(one: MergeCase): string {
  // What is no map cannot reach mergo here: the functions take maps.
  if (!(value(one.dst) instanceof Map)) return one.error === undefined ? 'wants lists to merge' : ''
  const into = value(one.dst)
  try {
    mergeInto(into as Dict, value(one.src) as Dict, one.options.includes('override'))
  } catch (error) {
    if (!(error instanceof CallError || error instanceof TypeError)) throw error
    return one.error === undefined ? String(error) : ''
  }
  if (one.error !== undefined) return `wants the error ${one.error}`
  const [has, wants] = [into, value(one.expected ?? null)].map(each => JSON.stringify(noted(each)))
  return has === wants ? '' : `wants ${wants}, got ${has}`
}
