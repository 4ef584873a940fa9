// Go's values as JSON, in the notation of test/fuzz/functions/values.go, and calls of functions with arguments checked as text/template does.
import { randomBytes } from 'node:crypto'
import { goFunctions } from '../../renderer/functions/go.js'
import { type Call, CallError, type GoFunction } from '../../renderer/functions/signature.js'
import { formatTime } from '../../renderer/functions/sprig/layout.js'
import { Time } from '../../renderer/functions/sprig/time.js'
import { defaultLimits, Meter } from '../../renderer/limits.js'
import { sprint } from '../../renderer/value/format.js'
import { sortedKeys } from '../../renderer/value/keys.js'
import { bytesOf, hasBadBytes, textOf } from '../../renderer/value/text.js'
import {
  Bytes,
  type Dict,
  goNil,
  goType,
  Int,
  type IntType,
  int,
  isList,
  type List,
  nilDict,
  nilList,
  type ParamType,
  Struct,
  typed,
  typeOf,
  type Value,
} from '../../renderer/value/value.js'

export type Noted = null | boolean | string | { readonly [key: string]: unknown }

/** Makers of structs by the key that notes them: `{"time":0}`, `{"semver":"1.2.3"}`. */
export type Makers = Readonly<Record<string, (noted: { readonly [key: string]: unknown }) => Value>>

export function fromNoted(noted: unknown, makers: Makers): Value {
  if (noted === null || typeof noted === 'boolean' || typeof noted === 'string') return noted
  const given = noted as { readonly [key: string]: unknown }
  const maker = Object.keys(makers).find(key => key in given)
  if (maker !== undefined) return (makers[maker] as Makers[string])(given)
  if (typeof given.b === 'string') return textOf(Buffer.from(given.b, 'base64'))
  if (typeof given.y === 'string') return new Bytes(Buffer.from(given.y, 'base64'))
  if (typeof given.i === 'string') return int(BigInt(String(given.v)), given.i as IntType)
  if (typeof given.f === 'string') return Number(given.f.replace('Inf', 'Infinity'))
  const type = given.t as string | undefined
  if ('l' in given) {
    if (given.l === null) return nilList(type)
    const list: List = (given.l as unknown[]).map(item => fromNoted(item, makers))
    return type === undefined ? list : typed(list, type)
  }
  if (given.m === null) return nilDict()
  const dict: Dict = new Map(
    (given.m as [unknown, unknown][]).map(([k, v]) => [fromNoted(k, makers) as string, fromNoted(v, makers)]),
  )
  return type === undefined ? dict : typed(dict, type)
}

export function noted(value: Value): unknown {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') return hasBadBytes(value) ? { b: base64(bytesOf(value)) } : value
  if (value instanceof Bytes) return { y: base64(value.bytes) }
  if (typeof value === 'number') return { f: sprint(value) }
  if (value instanceof Int) return { i: value.type, v: value.value.toString() }
  if (value instanceof Struct)
    return {
      p: clean(value instanceof Time ? formatTime(value, '2006-01-02T15:04:05.999999999Z07:00') : value.print()),
      s: typeOf(value),
    }
  const type = value[goType] === undefined ? {} : { t: value[goType] }
  if (isList(value)) return { l: value[goNil] ? null : value.map(noted), ...type }
  return { m: value[goNil] ? null : sortedKeys(value).map(key => [noted(key), noted(value.get(key) as Value)]), ...type }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** As JSON carries it: U+FFFD for a byte that is not UTF-8. */
export function clean(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** A call outside of a render: everything is minted, at `now`. */
export function looseCall(now = Date.now()): Call {
  return {
    meter: new Meter(defaultLimits),
    include: () => '',
    tpl: text => text,
    lookup: () => new Map(),
    sticky: (_name, _key, mint) => mint({ random: bytes => randomBytes(bytes), now }),
  }
}

/** Throws CallError with Go's words for arguments that do not fit, then runs. */
export function callFunction(name: string, args: readonly Value[], call: Call = looseCall()): Value {
  const found = goFunctions.get(name)
  if (found === undefined) throw new CallError(`function "${name}" not defined`)
  checkCount(found, args.length)
  return found.run(
    args.map((arg, at) => checked(found.params[at] ?? (found.variadic as ParamType), arg)),
    call,
  )
}

function checkCount(found: GoFunction, given: number): void {
  const wanted = found.params.length
  if (found.variadic === undefined ? given === wanted : given >= wanted) return
  throw new CallError(
    `wrong number of args for ${found.name}: want ${found.variadic === undefined ? '' : 'at least '}${wanted} got ${given}`,
  )
}

const typeNames: Readonly<Record<string, string>> = {
  map: 'map[string]interface {}',
  list: '[]interface {}',
  strings: '[]string',
  bytes: '[]uint8',
}

function checked(param: ParamType, arg: Value): Value {
  if (param === 'any') return arg
  const wanted = typeNames[param] ?? param
  if (arg === null && (param === 'map' || param === 'list' || param.startsWith('*'))) return arg
  if (arg === null) throw new CallError(`invalid value; expected ${wanted}`)
  if (typeOf(arg) === wanted) return arg
  throw new CallError(`wrong type for value; expected ${wanted}; got ${typeOf(arg)}`)
}
