// Argo CD's own cases, as data, of the kinds that every cluster has: every case runs. What we decided otherwise is pinned by name with
// its reason, and must differ. Cases of other people's kinds are counted, not run: their rules come with the Kubernetes destination.
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { objectHealth } from '../../controller/health/rules.js'
import { groupOf, type Manifest } from '../../runtime/contract/manifest.js'
import { conformance } from './builders.js'

interface Case {
  readonly name: string
  readonly object: Manifest & { readonly status?: Readonly<Record<string, unknown>> }
  readonly expected: { readonly status: string } | null
}

const decided: Readonly<Record<string, string>> = {
  'batch/CronJob/degraded': 'a failed run of a schedule is no word on the release that runs now',
}

const groups = new Set([
  '',
  'apps',
  'batch',
  'extensions',
  'autoscaling',
  'policy',
  'networking.k8s.io',
  'apiregistration.k8s.io',
  'apiextensions.k8s.io',
])
const file = conformance('health/argocd.json')

t.test(
  'objects are as healthy as Argo CD says',
  { skip: existsSync(file) ? false : 'the conformance data is not here' },
  async t => {
    const cases = JSON.parse(readFileSync(file, 'utf8')) as readonly Case[]
    t.equal(cases.length, 393)
    const own = cases.filter(one => groups.has(groupOf(one.object.apiVersion)))
    t.equal(own.length, 61)
    for (const { name, object, expected } of own) {
      const status = objectHealth(object, object.status ?? {})?.status ?? null
      const wanted = expected?.status ?? null
      if (decided[name] === undefined) t.equal(status, wanted, name)
      else t.not(status, wanted, `${name}: ${decided[name]}`)
    }
  },
)
