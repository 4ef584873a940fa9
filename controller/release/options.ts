// How an object is written and taken away: Argo CD's sync options, of the application or of the object, which wins
// (argo-cd docs/user-guide/sync-options.md, common/types.go). Pure.
import type { Manifest } from '../../runtime/contract/manifest.js'
import { annotation } from './hooks.js'

export const optionsAnnotation = 'argocd.argoproj.io/sync-options'
export const keepAnnotation = 'helm.sh/resource-policy'

export type Consent = 'yes' | 'no' | 'confirm'

export interface WriteOptions {
  /** Sent as a whole: what it does not name goes, whoever set it. */
  readonly replace: boolean
  /** Deleted and made anew where the server refuses to change it. */
  readonly force: boolean
  /** Fields that the kind does not have are refused. */
  readonly validate: boolean
  readonly prune: Consent
  readonly delete: Consent
  readonly pruneLast: boolean
  readonly propagation: 'Foreground' | 'Background' | 'Orphan'
  /** A kind that is not there yet does not hold a release. */
  readonly skipDryRunOnMissing: boolean
  /** What differences are ignored is left as it is when writing, too. */
  readonly respectIgnored: boolean
  /** Fields of those who wrote it before us become ours when it is taken over. */
  readonly migrate: boolean
}

const flags = ['true', 'false']
const consents = ['true', 'false', 'confirm']

/** Every option that is heeded, with the values it may have. */
const known: ReadonlyMap<string, readonly string[]> = new Map([
  ['CreateNamespace', flags],
  ['Validate', flags],
  ['SkipDryRunOnMissingResource', flags],
  ['ApplyOutOfSyncOnly', flags],
  ['PrunePropagationPolicy', ['foreground', 'background', 'orphan']],
  ['PruneLast', flags],
  ['Prune', consents],
  ['Delete', consents],
  ['Replace', flags],
  ['Force', flags],
  ['ServerSideApply', flags],
  ['ServerSideDiff', flags],
  ['ClientSideApplyMigration', flags],
  ['FailOnSharedResource', flags],
  ['RespectIgnoreDifferences', flags],
])

/** '' where it can be heeded. */
export function optionFault(option: string): string {
  const [name = '', value = ''] = option.split('=')
  const values = known.get(name)
  if (values === undefined) return `${JSON.stringify(option)} is no sync option; there are ${[...known.keys()].join(', ')}`
  return values.includes(value) ? '' : `${JSON.stringify(option)}: want ${values.map(one => `${name}=${one}`).join(' or ')}`
}

export function optionsOf(application: readonly string[], object: Manifest): WriteOptions {
  const given = new Map([...valuesIn(application), ...ownOptions(object)])
  const is = (name: string, otherwise = false) => (given.has(name) ? given.get(name) === 'true' : otherwise)
  return {
    replace: is('Replace'),
    force: is('Force'),
    validate: is('Validate', true),
    prune: consentOf(given.get('Prune')),
    delete: consentOf(given.get('Delete')),
    pruneLast: is('PruneLast'),
    propagation: propagationOf(given.get('PrunePropagationPolicy')),
    skipDryRunOnMissing: is('SkipDryRunOnMissingResource'),
    respectIgnored: is('RespectIgnoreDifferences'),
    migrate: is('ClientSideApplyMigration', true),
  }
}

/** What it says itself; kept as Helm has it, it is neither pruned nor deleted. */
export function ownOptions(object: Manifest): ReadonlyMap<string, string> {
  const kept: readonly string[] = annotation(object, keepAnnotation).trim() === 'keep' ? ['Prune=false', 'Delete=false'] : []
  return valuesIn([...kept, ...annotation(object, optionsAnnotation).replace(/\s/g, '').split(',')])
}

/** Of what is said twice the first counts (gitops-engine `GetAnnotationOptionValue`). */
function valuesIn(options: readonly string[]): ReadonlyMap<string, string> {
  const pairs = options.filter(option => option.includes('=')).map(option => option.split('=') as [string, string])
  return new Map(pairs.toReversed())
}

/** Makes the namespace of its destination. */
export function createsNamespace(application: readonly string[]): boolean {
  return application.includes('CreateNamespace=true')
}

export const approvedAnnotation = 'argocd.argoproj.io/deletion-approved'

/**
 * Has a person said, not before this (ms since 1970), that what asks for confirmation may go? Argo CD's annotation of the application,
 * an RFC 3339 time, which people write in whole seconds.
 */
export function isConfirmed({ annotations }: { readonly annotations: Readonly<Record<string, string>> }, since: number): boolean {
  return Date.parse(annotations[approvedAnnotation] ?? '') >= Math.floor(since / 1000) * 1000
}

function consentOf(value: string | undefined): Consent {
  return value === 'false' ? 'no' : value === 'confirm' ? 'confirm' : 'yes'
}

function propagationOf(value: string | undefined): WriteOptions['propagation'] {
  return value === 'background' ? 'Background' : value === 'orphan' ? 'Orphan' : 'Foreground'
}
