// Is this release an install or an upgrade, and are its tests asked for? Told apart by what is remembered, as Helm does by its release record.
import { refKey, refOf } from '../../runtime/contract/manifest.js'
import type { Attempt, Ledger, Request } from '../ledger.js'
import { ordinaryObjects } from '../release/sent.js'
import type { Release } from '../release.js'
import type { DecideInput } from './state.js'

/**
 * An install as long as no release of it became healthy at this place: an install that failed is installed again. What ran before us
 * (taken over from another tool) is upgraded.
 */
export function occasionOf(
  input: Pick<DecideInput, 'app' | 'observed'>,
  ledger: Ledger,
  release: Release,
  asked: Extract<Request, { kind: 'sync' }> | null = null,
): Required<Pick<Attempt, 'installs' | 'tests'>> {
  const isInstalled = ledger.installed ?? ledger.good.length > 0
  const tests = input.app.rollout.tests === 'Run' || asked?.tests === true
  return { installs: !isInstalled && !isTakenOver(input, ledger, release), tests }
}

/** Namespaces and definitions are often there before anything that needs them. */
const othersKinds = new Set(['Namespace', 'CustomResourceDefinition'])

function isTakenOver({ observed }: Pick<DecideInput, 'observed'>, ledger: Ledger, release: Release): boolean {
  const own = ordinaryObjects(release).filter(object => !othersKinds.has(object.kind))
  const keys = new Set(own.map(object => refKey(refOf(object))))
  if (ledger.current === null) return observed.objects.some(object => keys.has(refKey(object.ref)))
  return Object.entries(ledger.current.createdBy).some(([key, attempt]) => attempt === 0 && keys.has(key))
}
