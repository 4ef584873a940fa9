// go-yaml's and sigs.k8s.io/yaml's own suites, as data: what Helm reads from YAML and how it writes it.
import t from 'tap'
import { isDict, isList, type Value } from '../../renderer/value/value.js'
import { DecodeError, unmarshal } from '../../renderer/yaml/decode.js'
import { EncodeError, marshal } from '../../renderer/yaml/encode.js'
import { sortNaturally } from '../../renderer/yaml/keys.js'
import { conformance, goValue, type Text, type Typed, textOf } from '../support/reference.js'

interface DecodeCase {
  readonly name: string
  readonly yaml?: Text
  readonly yamlBase64?: string
  readonly json?: string
  readonly jsonError?: string
  readonly errorContains?: string
}

interface EncodeCase {
  readonly name: string
  readonly value?: Typed
  readonly viaJson?: string
  readonly viaJsonError?: string
  readonly keysInOrder?: readonly Typed[]
}

const deep = 'we read 1,000 levels of nesting at most, go-yaml 10,000: no manifest comes near, and the stack stays small'

const noTime = 'times and durations: the table says no more than that the recorder could not decode them'

/** Cases that run and must fail, each for its reason. */
const decodePins: Readonly<Record<string, string>> = {
  'limit: 1000kb of deeply nested slices': deep,
  'limit: 1000kb of deeply nested maps': deep,
  'limit: 1000kb of deeply nested indents': deep,
  'limit: 1000kb slice nested at max-depth': deep,
  'limit: 1000kb slice nested in maps at max-depth': deep,
  'limit: 1000kb of 10000-nested lines': deep,
}

const noSuchMap = 'a map with keys that are no texts cannot be made by a template'

const encodePins: Readonly<Record<string, string>> = {
  'marshalTests/29': noSuchMap,
  'marshalTests/58': noTime,
  'marshalTests/67': noTime,
  'marshalTests/68': noTime,
  'marshalTests/69': noTime,
}

t.test('YAML is read as sigs.k8s.io/yaml reads it', async t => {
  const cases = conformance<DecodeCase>('goyaml/decode.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  t.equal(cases.length, 233)
  for (const one of cases) {
    const pin = decodePins[one.name]
    const problem = decodeProblem(one)
    if (pin === undefined) t.equal(problem, '', one.name)
    else t.not(problem, '', `${one.name} (pinned: ${pin})`)
  }
})

t.test('YAML is written as sigs.k8s.io/yaml writes it', async t => {
  const cases = conformance<EncodeCase>('goyaml/encode.json')
  if (cases === null) return t.pass('SKIPPED: ../shared/conformance is not here')
  t.equal(cases.length, 71)
  for (const one of cases) {
    const pin = encodePins[one.name]
    const problem = encodeProblem(one)
    if (pin === undefined) t.equal(problem, '', one.name)
    else t.not(problem, '', `${one.name} (pinned: ${pin})`)
  }
})

/** '' where it is as the reference says. */
function decodeProblem(one: DecodeCase): string {
  const text = one.yamlBase64 === undefined ? textOf(one.yaml ?? '') : Buffer.from(one.yamlBase64, 'base64').toString('latin1')
  try {
    const value = unmarshal(text)
    const wanted = one.jsonError ?? one.errorContains
    if (wanted !== undefined) return `read, but should fail: ${wanted}`
    if (one.yamlBase64 !== undefined) return 'not UTF-8'
    if (one.json === undefined) return ''
    const [left, right] = [canonical(plain(value)), canonical(JSON.parse(one.json))]
    return left === right ? '' : `${left} instead of ${right}`
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    const wanted = one.jsonError ?? one.errorContains ?? (one.json === undefined && !('ok' in one) ? '' : null)
    return wanted !== null && cause.message.includes(wanted) ? '' : cause.message
  }
}

function encodeProblem(one: EncodeCase): string {
  if (one.keysInOrder !== undefined) {
    const texts = one.keysInOrder.filter(key => typeof key === 'string')
    const sorted = sortNaturally(texts.toReversed())
    return sorted.join('\n') === texts.join('\n') ? '' : sorted.join('\n')
  }
  if (one.value === undefined || (one.viaJson === undefined && one.viaJsonError === undefined)) return ''
  try {
    const text = marshal(goValue(one.value))
    return text === one.viaJson ? '' : `${JSON.stringify(text)} instead of ${JSON.stringify(one.viaJson ?? one.viaJsonError)}`
  } catch (cause) {
    if (!(cause instanceof EncodeError)) throw cause
    return one.viaJsonError !== undefined && cause.message.includes(one.viaJsonError) ? '' : cause.message
  }
}

function plain(value: Value): unknown {
  if (isDict(value)) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)] as const))
  return isList(value) ? value.map(plain) : value
}

/** Keys sorted. */
function canonical(json: unknown): string {
  return JSON.stringify(json, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}
