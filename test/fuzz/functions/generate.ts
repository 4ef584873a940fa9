// Calls of template functions, made up from a seed: odd arguments, wrong types, and texts that fit the function.

import {
  badTexts,
  codes,
  constraints,
  dates,
  durations,
  floats,
  jsons,
  keys,
  layouts,
  numbers,
  patterns,
  replacements,
  texts,
  tomls,
  types,
  urls,
  versions,
  yamls,
  zones,
} from './pools.js'

/** mulberry32: the same numbers for the same seed, everywhere. */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export interface Case {
  readonly fn: string
  readonly args: readonly unknown[]
}

type Chance = () => number

const pick = <T>(chance: Chance, from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T
const upTo = (chance: Chance, count: number): number => Math.floor(chance() * count)

export function textValue(chance: Chance): unknown {
  const roll = chance()
  if (roll < 0.06) return pick(chance, badTexts)
  if (roll < 0.2) return pick(chance, texts) + pick(chance, texts)
  if (roll < 0.4) return mutated(chance, pick(chance, texts))
  return pick(chance, texts)
}

const pieces = [
  ...'aZx09 .-+:/%$()[]{}*?^|\\"\'<>&=,;#@!~_\n\té\u{1f600}',
  '  ',
  '00',
  '..',
  '--',
  '||',
  'T',
  'Z',
  '+02:00',
  '{1}',
]

/** A few characters dropped, doubled, put in or exchanged. */
export function mutated(chance: Chance, given: string): string {
  const chars = Array.from(given)
  for (let left = 1 + upTo(chance, 3); left > 0; left--) {
    const at = upTo(chance, chars.length + 1)
    const roll = chance()
    if (roll < 0.3) chars.splice(at, 1)
    else if (roll < 0.5) chars.splice(at, 0, ...chars.slice(at, at + 3))
    else chars.splice(at, roll < 0.75 ? 1 : 0, pick(chance, pieces))
  }
  return chars.join('')
}

function intValue(chance: Chance): unknown {
  if (chance() < 0.7) return { i: 'int', v: String(upTo(chance, 14) - 4) }
  return { i: 'int', v: chance() < 0.8 ? String(upTo(chance, 60) - 20) : pick(chance, numbers.slice(0, 12)) }
}

/** Anything at all. */
export function anyValue(chance: Chance, depth = 2): unknown {
  const roll = chance()
  if (roll < 0.06) return null
  if (roll < 0.12) return chance() < 0.5
  if (roll < 0.4) return textValue(chance)
  if (roll < 0.5)
    return {
      i: pick(chance, ['int', 'int', 'int64', 'int64', 'uint8', 'int32', 'uint64', 'time.Duration', 'uint']),
      v: String(upTo(chance, 200)),
    }
  if (roll < 0.55) return { i: pick(chance, ['int', 'int64']), v: pick(chance, numbers) }
  if (roll < 0.68) return { f: pick(chance, floats) }
  if (roll < 0.7) return { y: pick(chance, ['', 'YWJj', '/w==']) }
  if (roll < 0.71) return { time: upTo(chance, 2_000_000_000) }
  if (roll < 0.72) return { semver: pick(chance, ['1.2.3', 'v1.2-rc.1', '2.0.0+meta']) }
  if (depth <= 0) return textValue(chance)
  return roll < 0.86 ? listValue(chance, depth) : dictValue(chance, depth)
}

export function listValue(chance: Chance, depth = 2): unknown {
  const roll = chance()
  if (roll < 0.04) return { l: null }
  if (roll < 0.2) return { l: Array.from({ length: upTo(chance, 5) }, () => textValue(chance)), t: '[]string' }
  if (roll < 0.27)
    return { l: Array.from({ length: upTo(chance, 5) }, () => ({ i: 'int', v: String(upTo(chance, 9)) })), t: '[]int' }
  if (roll < 0.6) {
    const few = [anyValue(chance, depth - 1), anyValue(chance, depth - 1)]
    return { l: Array.from({ length: upTo(chance, 6) }, () => pick(chance, few)) }
  }
  return { l: Array.from({ length: upTo(chance, 5) }, () => anyValue(chance, depth - 1)) }
}

export function dictValue(chance: Chance, depth = 2): unknown {
  const roll = chance()
  if (roll < 0.03) return { m: null }
  const chosen = [...new Set(Array.from({ length: upTo(chance, 5) }, () => pick(chance, keys)))].sort()
  if (roll < 0.1) return { m: chosen.map(key => [key, textValue(chance)]), t: 'map[string]string' }
  return { m: chosen.map(key => [key, anyValue(chance, depth - 1)]) }
}

/** A dict whose entries are dicts and lists again: what merges meet. */
function treeValue(chance: Chance, depth = 3): unknown {
  const chosen = [...new Set(Array.from({ length: 1 + upTo(chance, 4) }, () => pick(chance, ['a', 'b', 'c', 'd'])))].sort()
  const value = (): unknown => {
    const roll = chance()
    if (depth > 0 && roll < 0.5) return treeValue(chance, depth - 1)
    if (roll < 0.65) return pick(chance, [false, true, null, '', { f: '0' }, { l: [] }, { m: [] }, { i: 'int', v: '0' }])
    return anyValue(chance, 1)
  }
  return { m: chosen.map(key => [key, value()]) }
}

type Maker = (chance: Chance) => unknown
const from =
  (pool: readonly string[]): Maker =>
  chance => {
    const roll = chance()
    if (roll < 0.08) return textValue(chance)
    return roll < 0.35 ? mutated(chance, pick(chance, pool)) : pick(chance, pool)
  }
const int: Maker = intValue
const any: Maker = chance => anyValue(chance)
const list: Maker = chance => listValue(chance)
const dict: Maker = chance => dictValue(chance)
const tree: Maker = chance => treeValue(chance)
const text: Maker = textValue
const bool: Maker = chance => chance() < 0.5
const float: Maker = chance => ({ f: pick(chance, floats) })
const key: Maker = chance => pick(chance, keys)
const many = (maker: Maker, least: number, most: number): Maker[] =>
  Array.from({ length: most }, (_, at) => (at < least ? maker : Object.assign((c: Chance) => maker(c), { optional: true })))
const numberish: Maker = chance => {
  const roll = chance()
  if (roll < 0.25) return { i: pick(chance, ['int', 'int64']), v: pick(chance, numbers) }
  if (roll < 0.5) return { f: pick(chance, floats) }
  if (roll < 0.75) return { i: 'int', v: String(upTo(chance, 40) - 10) }
  return roll < 0.9 ? pick(chance, texts) : anyValue(chance, 1)
}
const moment: Maker = chance => {
  const roll = chance()
  if (roll < 0.5)
    // What zones were called before 1970 is not kept here.
    return { time: upTo(chance, 4_000_000_000), ns: upTo(chance, 1_000_000_000) }
  return { i: pick(chance, ['int', 'int64', 'int32']), v: String(upTo(chance, 2_000_000_000)) }
}
const url: Maker = from(urls)
const urlParts: Maker = chance => ({
  m: ['fragment', 'host', 'opaque', 'path', 'query', 'scheme', 'userinfo']
    .filter(() => chance() < 0.6)
    .map(name => [
      name,
      chance() < 0.05
        ? anyValue(chance, 0)
        : pick(chance, ['', 'a', 'h:80', '/p', 'p/q', 'http', 'u:p', 'é ü', 'a:b', '//x', '%41', 'q=1&r=2', '*']),
    ]),
})
const digArgs = (chance: Chance): unknown[] => [
  ...Array.from({ length: upTo(chance, 4) }, () => (chance() < 0.95 ? pick(chance, ['a', 'b', 'c']) : anyValue(chance, 0))),
  anyValue(chance, 0),
  chance() < 0.95 ? treeValue(chance) : anyValue(chance, 1),
]

/** How the arguments of each function are made; a `must` form has those of its plain one. */
export const makers: Readonly<Record<string, readonly Maker[] | ((chance: Chance) => unknown[])>> = {
  hello: [],
  abbrev: [int, text],
  abbrevboth: [int, int, text],
  trunc: [int, text],
  trim: [text],
  trimAll: [text, text],
  trimall: [text, text],
  trimSuffix: [text, text],
  trimPrefix: [text, text],
  upper: [text],
  lower: [text],
  title: [text],
  untitle: [text],
  substr: [int, int, text],
  repeat: [int, text],
  nospace: [text],
  initials: [text],
  swapcase: [text],
  snakecase: [text],
  camelcase: [text],
  kebabcase: [text],
  wrap: [int, text],
  wrapWith: [int, text, text],
  contains: [text, text],
  hasPrefix: [text, text],
  hasSuffix: [text, text],
  quote: many(any, 0, 3),
  squote: many(any, 0, 3),
  cat: many(any, 0, 4),
  indent: [int, text],
  nindent: [int, text],
  replace: [text, text, text],
  plural: [text, text, int],
  toString: [any],
  toStrings: [any],
  split: [text, text],
  splitn: [text, int, text],
  splitList: [text, text],
  join: [text, any],
  sortAlpha: [any],
  atoi: [text],
  int: [numberish],
  int64: [numberish],
  float64: [numberish],
  toDecimal: [numberish],
  add: many(numberish, 0, 4),
  add1: [numberish],
  sub: [numberish, numberish],
  mul: many(numberish, 1, 4),
  div: [numberish, numberish],
  mod: [numberish, numberish],
  max: many(numberish, 1, 4),
  biggest: many(numberish, 1, 4),
  min: many(numberish, 1, 4),
  add1f: [numberish],
  addf: many(numberish, 0, 4),
  subf: many(numberish, 1, 4),
  mulf: many(numberish, 1, 4),
  divf: many(numberish, 1, 3),
  maxf: many(numberish, 1, 3),
  minf: many(numberish, 1, 3),
  floor: [numberish],
  ceil: [numberish],
  round: [numberish, int, Object.assign((c: Chance) => float(c), { optional: true })],
  until: [int],
  untilStep: [int, int, int],
  seq: many(int, 0, 4),
  default: many(any, 1, 2),
  empty: [any],
  coalesce: many(any, 0, 4),
  all: many(any, 0, 3),
  any: many(any, 0, 3),
  ternary: [any, any, bool],
  fail: [text],
  compact: [list],
  list: many(any, 0, 4),
  tuple: many(any, 0, 4),
  append: [list, any],
  push: [list, any],
  prepend: [list, any],
  first: [list],
  rest: [list],
  last: [list],
  initial: [list],
  reverse: [list],
  uniq: [list],
  without: [list, any, any],
  has: [any, list],
  slice: [list, ...many(numberish, 0, 2)],
  concat: many(list, 0, 3),
  chunk: [int, list],
  dict: many(any, 0, 5),
  get: [dict, key],
  set: [dict, key, any],
  unset: [dict, key],
  hasKey: [dict, key],
  pluck: [key, ...many(dict, 0, 3)],
  keys: many(dict, 0, 3),
  values: [dict],
  pick: [dict, ...many(key, 0, 3)],
  omit: [dict, ...many(key, 0, 3)],
  merge: many(tree, 1, 3),
  mergeOverwrite: many(tree, 1, 3),
  deepCopy: [any],
  dig: digArgs,
  typeOf: [any],
  typeIs: [from(types), any],
  typeIsLike: [from(types), any],
  kindOf: [any],
  kindIs: [from(types), any],
  deepEqual: [any, any],
  date: [from(layouts), moment],
  date_in_zone: [from(layouts), moment, from(zones)],
  dateInZone: [from(layouts), moment, from(zones)],
  date_modify: [from(durations), moment],
  dateModify: [from(durations), moment],
  toDate: [from(layouts), from(dates)],
  htmlDate: [moment],
  htmlDateInZone: [moment, from(zones)],
  duration: [chance => (chance() < 0.5 ? pick(chance, durations) : numberish(chance))],
  durationRound: [chance => (chance() < 0.5 ? pick(chance, durations) : numberish(chance))],
  unixEpoch: [moment],
  must_date_modify: [from(durations), moment],
  semver: [from(versions)],
  semverCompare: [from(constraints), from(versions)],
  regexMatch: [from(patterns), text],
  regexFind: [from(patterns), text],
  regexFindAll: [from(patterns), text, int],
  regexReplaceAll: [from(patterns), text, from(replacements)],
  regexReplaceAllLiteral: [from(patterns), text, from(replacements)],
  regexSplit: [from(patterns), text, int],
  regexQuoteMeta: [text],
  sha1sum: [text],
  sha256sum: [text],
  sha512sum: [text],
  adler32sum: [text],
  b64enc: [text],
  b64dec: [from(codes)],
  b32enc: [text],
  b32dec: [from(codes)],
  decryptAES: [text, from(codes)],
  urlParse: [url],
  urlJoin: [urlParts],
  getHostByName: [text],
  base: [text],
  dir: [text],
  clean: [text],
  ext: [text],
  isAbs: [text],
  osBase: [text],
  osDir: [text],
  osClean: [text],
  osExt: [text],
  osIsAbs: [text],
  toJson: [any],
  toPrettyJson: [any],
  toRawJson: [any],
  fromJson: [from(jsons)],
  fromJsonArray: [from(jsons)],
  mustFromJson: [from(jsons)],
  mustToJson: [any],
  toYaml: [any],
  toYamlPretty: [any],
  fromYaml: [from(yamls)],
  fromYamlArray: [from(yamls)],
  toToml: [chance => (chance() < 0.8 ? dictValue(chance, 3) : anyValue(chance))],
  fromToml: [from(tomls)],
  buildCustomCert: [from(codes), from(codes)],
  genPrivateKey: [() => 'foo'],
  htpasswd: [() => 'a:b', text],
  derivePassword: [numberish, from(['pin', 'none']), text, text, text],
  genSelfSignedCert: [
    text,
    chance => (chance() < 0.8 ? { l: [pick(chance, ['10.0.0.256', 'x'])] } : listValue(chance)),
    list,
    int,
  ],
}

const must = [
  'append',
  'push',
  'chunk',
  'compact',
  'first',
  'has',
  'initial',
  'last',
  'prepend',
  'rest',
  'reverse',
  'slice',
  'uniq',
  'without',
  'merge',
  'mergeOverwrite',
  'deepCopy',
  'dateModify',
  'toDate',
  'toPrettyJson',
  'toRawJson',
  'regexMatch',
  'regexFind',
  'regexFindAll',
  'regexReplaceAll',
  'regexReplaceAllLiteral',
  'regexSplit',
]

export const names: readonly string[] = [
  ...Object.keys(makers),
  ...must.map(name => `must${name.slice(0, 1).toUpperCase()}${name.slice(1)}`),
]

export function makeCase(seed: number, only?: readonly string[]): Case {
  const chance = chanceOf(seed)
  const fn = pick(chance, only ?? names)
  const made = makers[fn] ?? makers[fn.slice(4, 5).toLowerCase() + fn.slice(5)] ?? []
  const args =
    typeof made === 'function'
      ? made(chance)
      : (made as readonly (Maker & { optional?: boolean })[])
          .filter(each => each.optional !== true || chance() < 0.7)
          .map(each => each(chance))
  const roll = chance()
  // Sometimes an argument of any type, one too few, one too many.
  if (roll < 0.08 && args.length > 0) return { fn, args: args.with(upTo(chance, args.length), anyValue(chance, 1)) }
  if (roll < 0.09) return { fn, args: args.slice(1) }
  return roll < 0.1 ? { fn, args: [...args, anyValue(chance, 1)] } : { fn, args }
}
