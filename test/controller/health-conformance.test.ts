// Cases of others, as data: Argo CD's and kstatus'. Every case runs. What we decided otherwise is pinned by name with its reason, and must
// differ: a case that comes to agree is taken from the list.
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { objectHealth } from '../../controller/health/rules.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { conformance } from './builders.js'
import { builtIn, pinned } from './health-pinned.js'

interface Case {
  readonly name: string
  readonly object: Manifest & { readonly status?: Readonly<Record<string, unknown>> }
  readonly expected: { readonly status?: string } | null
}

const skip = existsSync(conformance('health/argocd.json')) ? false : 'the conformance data is not here'
const casesOf = (file: string) => JSON.parse(readFileSync(conformance(file), 'utf8')) as readonly Case[]

/** Some cases are an object without a name, which no server has. */
function statusOf({ object }: Case): string | null {
  return objectHealth({ ...object, metadata: object.metadata ?? { name: 'x' } }, object.status ?? {})?.status ?? null
}

t.test('objects are as healthy as Argo CD says', { skip }, async t => {
  const cases = casesOf('health/argocd.json')
  t.equal(cases.length, 393)
  const reasons = new Map(Object.entries(pinned).flatMap(([reason, names]) => names.map(name => [name, reason] as const)))
  for (const one of cases) {
    const wanted = one.expected?.status ?? null
    const reason = reasons.get(one.name)
    if (reason === undefined) t.equal(statusOf(one), wanted, one.name)
    else t.not(statusOf(one), wanted, `${one.name}: ${reason}`)
  }
})

/** kstatus knows no health, only whether it is there yet. */
const current: Readonly<Record<string, string>> = {
  null: 'Current',
  Healthy: 'Current',
  Progressing: 'InProgress',
  Degraded: 'Failed',
}

t.test('what has no rule is as far as kstatus says', { skip }, async t => {
  const cases = casesOf('health/kstatus.json')
  t.equal(cases.length, 59)
  for (const one of cases.filter(({ expected }) => expected?.status !== undefined)) {
    const status = current[String(statusOf(one))] ?? 'Unknown'
    if (builtIn.includes(one.name)) t.not(status, one.expected?.status, `${one.name}: Argo CD's rule of a built-in kind`)
    else t.equal(status, one.expected?.status, one.name)
  }
})
