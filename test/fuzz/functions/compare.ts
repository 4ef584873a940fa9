// Asks the Go program of this folder and our functions the same, and says where they differ.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { RenderFault } from '../../../renderer/fault.js'
import { goFunctions } from '../../../renderer/functions/go.js'
import type { GoFunction } from '../../../renderer/functions/signature.js'
import { ExecError, execute, Namespace, ParseError, parse, Rendering } from '../../../renderer/gotemplate/index.js'
import { helmFunctions } from '../../../renderer/helm/functions.js'
import { sprint } from '../../../renderer/value/format.js'
import type { Int, Value } from '../../../renderer/value/value.js'
import { structMakers } from '../../support/go-structs.js'
import { clean, fromNoted, looseCall, noted } from '../../support/go-values.js'
import type { Case } from './generate.js'

export interface Answer {
  readonly v?: unknown
  readonly p?: string
  readonly after?: readonly unknown[]
  readonly err?: string
}

/** Answers in the order of the questions. `program`: the compiled Go program. */
export async function askGo(program: string, cases: readonly Case[]): Promise<readonly Answer[]> {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers: Answer[] = []
  const read = (async () => {
    for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line) as Answer)
  })()
  for (const each of cases) {
    if (!child.stdin.write(JSON.stringify(each) + '\n')) await new Promise(resolve => child.stdin.once('drain', resolve))
  }
  child.stdin.end()
  await read
  return answers
}

/** Through text/template, as Go's program does it: arguments are checked on the way. */
export function askOurs(given: Case): Answer {
  const args = given.args.map(arg => fromNoted(arg, structMakers))
  let value: Value = null
  const own: readonly GoFunction[] = [
    { name: 'arg__', params: ['int'], run: ([at]) => args[Number((at as Int).value)] ?? null },
    {
      name: 'capture__',
      params: ['any'],
      run: ([made]) => {
        value = made ?? null
        return ''
      },
    },
  ]
  try {
    const functions = new Map([...helmFunctions, ...goFunctions, ...own.map(each => [each.name, each] as const)])
    const call = looseCall()
    const file = parse('t', `{{ capture__ (${given.fn}${args.map((_, at) => ` (arg__ ${at})`).join('')}) }}`, functions)
    const templates = new Namespace()
    templates.add(file)
    execute(templates, file.main, null, call, new Rendering(call.meter))
    return { v: noted(value), p: clean(sprint(value)), after: args.map(noted) }
  } catch (error) {
    if (error instanceof ExecError || error instanceof ParseError) return { err: clean(error.message) }
    if (error instanceof RenderFault) return { err: `limit: ${error.message}` }
    return { err: `defect: ${String((error as Error).stack)}` }
  }
}

export function known(name: string): boolean {
  return goFunctions.has(name)
}

/** Go gives these in a random order; ours are sorted. */
const unordered: ReadonlySet<string> = new Set(['keys', 'values'])

function sortedItems(list: unknown): string {
  return JSON.stringify(((list as { l?: unknown[] | null }).l ?? []).map(item => JSON.stringify(item)).sort())
}

/** No two calls of these give the same. */
const minted: ReadonlySet<string> = new Set(['htpasswd', 'genPrivateKey', 'genSelfSignedCert'])

/** TOML that cannot be read is told in another library's words. */
function isErrorMap(value: unknown): boolean {
  const entries = (value as { m?: unknown[] | null } | null | undefined)?.m
  return entries?.length === 1 && (entries[0] as unknown[])[0] === 'Error'
}

/** Dates of what is no moment are those of now. */
export function meansNow(call: Case): boolean {
  const at = { date: 1, dateInZone: 1, date_in_zone: 1, htmlDate: 0, htmlDateInZone: 0, ago: 0, durationRound: 0, now: -1 }[
    call.fn
  ]
  if (at === undefined) return false
  const moment = call.args[at] as { time?: number; i?: string; f?: string } | null | undefined
  if (call.fn === 'durationRound') return moment?.time !== undefined
  return !(moment?.time !== undefined || ['int', 'int64', 'int32'].includes(moment?.i ?? ''))
}

/** undefined: they agree. */
export function difference(call: Case, go: Answer, ours: Answer): string | undefined {
  const { fn } = call
  if ((meansNow(call) || minted.has(fn)) && go.err === undefined && ours.err === undefined) return undefined
  // A limit is ours alone.
  if (ours.err?.startsWith('limit: ') === true) return undefined
  if (go.err !== undefined || ours.err !== undefined) {
    if (go.err === undefined || ours.err === undefined) return 'one fails'
    return go.err === ours.err ? undefined : 'error text'
  }
  if (unordered.has(fn)) return sortedItems(go.v) === sortedItems(ours.v) ? undefined : 'value'
  if (fn === 'fromToml' && isErrorMap(go.v) && isErrorMap(ours.v)) return undefined
  if (!same(go.v ?? null, ours.v ?? null)) return 'value'
  if ((go.p ?? '') !== (ours.p ?? '')) return 'print'
  return same(go.after ?? [], ours.after ?? []) ? undefined : 'arguments afterwards'
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, at) => same(item, b[at]))
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>]
  const keys = Object.keys(x)
  return keys.length === Object.keys(y).length && keys.every(key => key in y && same(x[key], y[key]))
}
