// Templates of one action each, whose pipelines go through all of Sprig's and Helm's functions, with arguments that mostly fit.

import { goFunctions } from '../../../renderer/functions/go.js'
import type { GoFunction } from '../../../renderer/functions/signature.js'
import { builtins } from '../../../renderer/gotemplate/index.js'
import type { ParamType } from '../../../renderer/value/value.js'
import { type Chance, chanceOf } from '../chance.js'

/** What the templates see. */
export const data = {
  s: 'abc',
  e: '',
  num: 1.5,
  int: 3,
  t: true,
  f: false,
  nil: null,
  l: ['b', 'a', null, 2],
  le: [],
  m: { a: 1, b: { c: 'd' } },
  me: {},
  v: '1.2.3',
  j: '{"a":1}',
  ll: [['x'], { a: 1 }],
  ls: ['x', 'y'],
}

/**
 * Random, of the clock, or in a random order; `call` and `slice` are other functions in Helm; and what can put a map into itself,
 * which Go prints until its stack is full.
 */
const left =
  /^(set|unset|(mustM|m)erge.*|rand.*|gen.*|derive.*|encrypt.*|decrypt.*|bcrypt|htpasswd|uuid.*|now|ago|.*[dD]ate.*|shuffle|getHostByName|lookup|include|tpl|keys|values|hello|buildCustomCert|unixEpoch|call|slice|from(Yaml|Json).*|toToml|fromToml|append|push|prepend|must(Append|Push|Prepend))$/

const known: ReadonlyMap<string, GoFunction> = new Map([...builtins, ...goFunctions])
const names = [...known.keys()].filter(name => !left.test(name))

const operands = [
  ...['1', '2', '0', '-1', '"a"', '"b,c"', '""', '1.5', 'true', 'false', 'nil', "'a'", '"%s"', '"^a+"', '"$1"', '">=1.0"'],
  ...['.s', '.e', '.num', '.int', '.t', '.f', '.nil', '.l', '.le', '.m', '.me', '.v', '.j', '.ll', '.ls', '.missing', '.', '$'],
  ...['.m.b', '.m.b.c', '.s.x', '.missing.x', '(list 1 "a")', '(list "b" "a")', '(dict "a" 1)', '(int 3)', '(int64 4)', '(list)'],
  ...['(split "," "a,b")', '(splitList "," "a,b")', '(dict)', '(semver "1.2.3")', '(until 3)'],
]

const fitting: Readonly<Record<string, readonly string[]>> = {
  string: ['.s', '"a"', '"b,c"', '""', '.v', '(index .ls 0)', '.j'],
  int: ['1', '2', '0', '3', '(int 3)'],
  int64: ['1', '2'],
  float64: ['1.5', '.num'],
  bool: ['true', 'false', '.t', '.f'],
  map: ['.m', '.me', '.m.b', '(dict "a" 1)'],
  list: ['.l', '.le', '(list 1 "a")', '.ll'],
}

function pick<T>(chance: Chance, from: readonly T[]): T {
  return from[Math.floor(chance() * from.length)] as T
}

export function makeTemplate(seed: number): string {
  const chance = chanceOf(seed)
  let pipeline = chance() < 0.4 ? operand(chance, 2) : call(chance, 2, false)
  while (chance() < 0.35) pipeline += ' | ' + call(chance, 1, true)
  const roll = chance()
  if (roll < 0.15) return `{{range $i, $e := ${pipeline}}}{{$i}}={{$e}};{{end}}`
  if (roll < 0.25) return `{{with ${pipeline}}}{{.}}{{.a}}{{end}}`
  return roll < 0.35 ? `{{if ${pipeline}}}y{{else}}n{{end}}` : `{{ ${pipeline} }}`
}

function operand(chance: Chance, depth: number): string {
  if (depth === 0 || chance() >= 0.25) return pick(chance, operands)
  return `(${call(chance, depth - 1, false)})${chance() < 0.15 ? '.a' : ''}`
}

function call(chance: Chance, depth: number, piped: boolean): string {
  const name = pick(chance, names)
  const { params, variadic } = known.get(name) as GoFunction
  const more = variadic === undefined ? [] : Array.from({ length: Math.floor(chance() * 3) }, () => variadic)
  const tooMany: readonly ParamType[] = chance() < 0.03 ? ['any'] : []
  const types = [...params, ...more, ...tooMany].slice(0, piped ? -1 : undefined)
  return [name, ...types.map(type => argument(chance, depth, type))].join(' ')
}

function argument(chance: Chance, depth: number, type: ParamType): string {
  const fits = fitting[type]
  return fits !== undefined && chance() < 0.85 ? pick(chance, fits) : operand(chance, depth)
}
