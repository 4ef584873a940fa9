// Who has to agree before an object is taken away: Argo CD's `Prune` and `Delete` with `false` and `confirm`, of the object or of its
// application, and a person's word (argo-cd controller/state.go, controller/appcontroller.go, gitops-engine sync_context.go). Pure.
import { type Manifest, type ObjectRef, refKey, refOf, refText } from '../../runtime/contract/manifest.js'
import type { Application } from '../application.js'
import type { Ledger, Stay } from '../ledger.js'
import { type Consent, isConfirmed, ownOptions } from '../release/options.js'
import { staysForward } from '../release/sent.js'
import type { Release, ReleaseId } from '../release.js'

/** Objects that nobody may take away before a person has said so. */
export interface Asks {
  readonly act: 'prune' | 'delete'
  readonly objects: readonly ObjectRef[]
  /** A word said before is none, ms since 1970. */
  readonly since: number
}

export interface ConsentInput {
  readonly ledger: Ledger
  readonly releases: (id: ReleaseId) => Release | null
  /** `syncOptions` of the application. */
  readonly options: readonly string[]
}

/** What an object's author says of taking it away, in the words of a ledger. */
export function staysOf(object: Manifest): readonly Stay[] {
  const own = ownOptions(object)
  const said = (['Prune', 'Delete'] as const).flatMap(name => {
    const value = own.get(name)
    if (value === undefined) return []
    if (name === 'Prune' && value === 'false') return ['prune' as const]
    return [`${name}=${value}` as Stay]
  })
  return [...said, ...(staysForward(object) ? (['rollback'] as const) : [])]
}

/** As it was last sent; else as a release that is still known has it. */
export function staysIn(ref: ObjectRef, input: Pick<ConsentInput, 'ledger' | 'releases'>): readonly Stay[] {
  const known = input.ledger.current?.staying?.[refKey(ref)]
  if (known !== undefined) return known
  const object = manifestOf(ref, input)
  return object === null ? [] : staysOf(object)
}

/** Who asks before pruning asks before deleting too (`isObjRequiresDeletionConfirmation`). */
export function consentTo(act: Asks['act'], ref: ObjectRef, input: ConsentInput): Consent {
  const stays = staysIn(ref, input)
  const prune = stated('Prune', stays, input.options)
  if (act === 'prune') return prune
  const deletion = stated('Delete', stays, input.options)
  return deletion === 'yes' && prune === 'confirm' ? 'confirm' : deletion
}

/** The object's own word wins over its application's. */
function stated(name: 'Prune' | 'Delete', stays: readonly Stay[], options: readonly string[]): Consent {
  if (name === 'Prune' && stays.includes('prune')) return 'no'
  const isSaid = (one: string) => one.startsWith(`${name}=`)
  const value = (stays.find(isSaid) ?? options.find(isSaid))?.split('=')[1]
  return value === 'false' ? 'no' : value === 'confirm' ? 'confirm' : 'yes'
}

/** A person has said so, here or by Argo CD's annotation, and not before. */
export function isApproved(
  app: Pick<Application, 'annotations'>,
  { approval }: Pick<Ledger, 'approval'>,
  since: number,
): boolean {
  return isConfirmed(app, since) || (approval !== undefined && approval.at >= since)
}

/** Where current's attempt began: a word given to an earlier one is none for this. */
export function attemptBegan({ attempt }: Ledger): number {
  return attempt?.moves[0]?.at ?? attempt?.times.seen ?? 0
}

/** `ConfigMap shop/a, ConfigMap shop/b and 3 more` */
export function namedText(refs: readonly ObjectRef[]): string {
  const named = refs.slice(0, 3).map(refText).join(', ')
  return refs.length > 3 ? `${named} and ${refs.length - 3} more` : named
}

/** An owned object as one of the releases still known has it; null where none does. */
export function manifestOf(ref: ObjectRef, { ledger, releases }: Pick<ConsentInput, 'ledger' | 'releases'>): Manifest | null {
  const attempt = ledger.attempt
  const ids = [ledger.current?.release, attempt?.release, attempt?.from, ...ledger.good.map(good => good.release).toReversed()]
  for (const id of ids) {
    const found = id ? releases(id)?.objects.find(object => refKey(refOf(object)) === refKey(ref)) : undefined
    if (found !== undefined) return found
  }
  return null
}
