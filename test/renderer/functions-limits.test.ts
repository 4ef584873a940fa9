// What a function can be made to make too much of ends at a limit, before it is made.
import t from 'tap'
import { RenderFault } from '../../renderer/fault.js'
import { int, type Value } from '../../renderer/value/value.js'
import { callFunction } from '../support/go-values.js'

const huge = int(2_000_000_000)
const long = 'a '.repeat(400_000)
const lines = '\n'.repeat(100_000)
const many: Value[] = Array.from({ length: 90_000 }, () => 'x')

const attacks: readonly (readonly [string, ...Value[]])[] = [
  ['repeat', huge, 'ab'],
  ['until', huge],
  ['untilStep', int(0), huge, int(1)],
  ['seq', huge],
  ['indent', int(1_000), lines],
  ['nindent', huge, 'a'],
  ['replace', ' ', 'x'.repeat(10_000), long],
  ['join', 'x'.repeat(1_000), many],
  ['wrapWith', int(1), 'x'.repeat(10_000), long],
  ['regexReplaceAll', ' ', long, 'x'.repeat(10_000)],
  ['regexReplaceAllLiteral', 'a', long, 'x'.repeat(10_000)],
  ['randBytes', huge],
  ['randAlphaNum', huge],
  ['concat', many, many],
  ['splitList', '', long],
  ['split', ' ', long],
  ['regexSplit', ' ', long, int(-1)],
  ['regexFindAll', 'a', long, int(-1)],
  ['b64enc', 'a'.repeat(3_900_000)],
  ['toJson', '\u0001'.repeat(1_000_000)],
]

t.test('a function that is asked for too much is refused by a limit', async t => {
  for (const [name, ...args] of attacks) {
    t.throws(() => callFunction(name, args), RenderFault, name)
  }
})

t.test('a map that holds itself ends in an error', async t => {
  const ring = new Map<string, Value>([['a', 'b']])
  ring.set('self', ring)
  t.throws(() => callFunction('deepCopy', [ring]), /1000/)
  t.throws(() => callFunction('mustMerge', [new Map([['self', ring]]), new Map([['self', ring]])]), /1000|holds? itself/)
  t.throws(() => callFunction('mustToJson', [ring]), /cycle/)
  t.equal(callFunction('toJson', [ring]), '')
})

t.test('patterns that take a backtracking engine forever are found in linear time', async t => {
  t.equal(callFunction('regexMatch', ['^(a+)+$', 'a'.repeat(50_000) + '!']), false)
  t.throws(() => callFunction('semverCompare', [`${' '.repeat(500)}!`, '1.2.3']), /improper constraint/)
})
