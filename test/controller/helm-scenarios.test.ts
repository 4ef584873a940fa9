// helm-controller's failure scenarios as data: what each step of them ends in here, with the same kinds of failure in the toy world.
import t from 'tap'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { conformance } from '../support/reference.js'
import { deployment, job, release } from './builders.js'
import { World } from './world.js'

interface Scenario {
  readonly name: string
  readonly steps: readonly { readonly expect: { readonly conditions?: Readonly<Record<string, string>> } }[]
}

const web = (image: string) => deployment('web', image)
const hooked = (name: string, image: string, hook: string, spec: object = {}): Manifest => {
  const made = job(name, image, { annotations: { 'helm.sh/hook': hook } })
  return { ...made, spec: { ...(made.spec as object), ...spec } }
}
const good = [web('good:1')]
const bad = [web('never:2')]
const badTest = [web('good:2'), hooked('smoke', 'fail:1', 'test')]

interface Played {
  readonly rollout?: object
  /** What each step releases. */
  readonly steps: readonly (readonly Manifest[])[]
}

/** Theirs without remediation is `onFailure: Hold`; theirs that ignores tests does not ask for them. */
const played: Readonly<Record<string, Played>> = {
  'job-ttl': { steps: [[...good, hooked('after', 'ok:1', 'post-install', { ttlSecondsAfterFinished: 0 })]] },
  'install-fail': { steps: [bad] },
  'install-test-fail': { rollout: { tests: 'Run' }, steps: [badTest] },
  'install-fail-remediate': { steps: [bad] },
  'install-fail-retry': { steps: [bad] },
  'upgrade-fail': { rollout: { onFailure: 'Hold' }, steps: [good, bad] },
  'upgrade-test-fail': { rollout: { onFailure: 'Hold', tests: 'Run' }, steps: [good, badTest] },
  'upgrade-fail-remediate': { steps: [good, bad] },
  'upgrade-fail-retry': { steps: [good, bad] },
  'upgrade-fail-remediate-uninstall': { steps: [good, bad] },
  'server-side-apply-rollback': { steps: [good, bad] },
}

/** What is otherwise here, and why. */
const decided: Readonly<Record<string, string>> = {
  'install-fail-remediate':
    'nothing is uninstalled: what failed first is left to be looked at, and the next release goes over it',
}

const scenarios = conformance<Scenario>('helm-controller/scenarios.json') ?? []
const skip = scenarios.length === 0 ? 'SKIPPED: the conformance data is not here' : false

t.test("helm-controller's failures end as there: not ready, and gone back from where that is asked", { skip }, async t => {
  for (const [name, { rollout = {}, steps }] of Object.entries(played)) {
    const scenario = scenarios.find(one => one.name === name)
    t.equal(scenario?.steps.length, steps.length, name)
    const world = new World({ rollout: { healthTimeoutMs: 20_000, ...rollout } })
    for (const [at, objects] of steps.entries()) {
      const wanted = scenario?.steps[at]?.expect.conditions ?? {}
      const newest = release(...objects)
      world.push(newest)
      world.minutes(3)
      const outcome = world.ledger!.attempt?.outcome
      t.equal(world.currentIs(newest) && outcome === 'Healthy', wanted.Ready === 'True', `${name}, step ${at + 1}: ${outcome}`)
      if (wanted.Remediated !== undefined)
        t.equal(outcome === 'RolledBack', decided[name] === undefined, `${name}: ${decided[name] ?? 'gone back'}`)
      const attempts = world.ledger!.nextAttempt
      world.minutes(60)
      t.equal(world.ledger!.nextAttempt, attempts, `${name}: no loop`)
    }
  }
})
