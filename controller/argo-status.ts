// What is known of an application, in the shape of Argo CD's `status` (crd-application.yaml of v3.4): existing dashboards, alerts and
// `kubectl get applications` read it. Pure.
import { refKey } from '../runtime/contract/manifest.js'
import { chartOfRevision } from './application/tracked.js'
import type { Application, Source } from './application.js'
import { type ApplicationView, type AttemptView, chartSays, type ObjectView, type ReleaseView } from './view.js'

export interface Told {
  readonly app: Pick<Application, 'source' | 'sources' | 'ignoreDifferences' | 'revisionHistoryLimit' | 'manifest'>
  readonly view: ApplicationView
  /** Newest first. */
  readonly history: readonly AttemptView[]
  readonly objects: readonly ObjectView[]
  readonly images: readonly string[]
}

export type ArgoStatus = Readonly<Record<string, unknown>>

/** Of a declaration that cannot be taken. */
export function invalidStatus(message: string): ArgoStatus {
  return {
    conditions: [{ type: 'InvalidSpecError', message }],
    health: { status: 'Unknown' },
    sync: { status: 'Unknown' },
  }
}

/** `lastTransitionTime` and `reconciledAt` are the caller's: here the same facts give the same status. */
export function argoStatus({ app, view, history, objects, images }: Told): ArgoStatus {
  const { source, sources, destination } = (app.manifest.spec ?? {}) as Readonly<Record<string, unknown>>
  const from = sources === undefined ? { source } : { sources }
  const { ignoreDifferences } = (app.manifest.spec ?? {}) as { readonly ignoreDifferences?: unknown }
  return {
    sync: {
      status: view.sync.status,
      ...revisionsOf(view.candidate),
      comparedTo: { ...from, destination, ...(ignoreDifferences === undefined ? {} : { ignoreDifferences }) },
    },
    health: { status: view.health.status, ...(view.health.message === '' ? {} : { message: view.health.message }) },
    ...(view.attempt === null ? {} : { operationState: { ...operationOf(view.attempt, objects), ...askedOperation(view) } }),
    history: history
      .filter(({ outcome }) => outcome === 'Healthy')
      .slice(0, app.revisionHistoryLimit)
      .reverse()
      .map(attempt => historyOf(attempt, from)),
    resources: objects.map(object => resourceOf(object, view)),
    conditions: conditionsOf(view),
    summary: { images },
    ...(sources === undefined ? { sourceType: typeOf(app.source) } : { sourceTypes: app.sources.map(typeOf) }),
    resourceHealthSource: '',
  }
}

function typeOf(source: Source): string {
  if (source.kind === 'kustomize') return 'Kustomize'
  return source.kind === 'helm' ? 'Helm' : 'Directory'
}

const phases: Readonly<Record<string, string>> = {
  Healthy: 'Succeeded',
  RolledBack: 'Failed',
  Failed: 'Failed',
  Held: 'Error',
  Superseded: 'Terminating',
}

function operationOf(attempt: AttemptView, objects: readonly ObjectView[]): object {
  const { outcome, times, message, release, by, cause } = attempt
  const phase = outcome === null ? 'Running' : (phases[outcome] ?? 'Error')
  const revisions = revisionsOf(release)
  const startedAt = times.preflighted || times.rendered || times.seen
  return {
    phase,
    message,
    startedAt,
    ...(outcome === null || times.ended === '' ? {} : { finishedAt: times.ended }),
    operation: { initiatedBy: cause === 'commit' ? { automated: true } : { username: by }, sync: revisions },
    syncResult: {
      revision: '',
      ...revisions,
      resources: objects.map(({ ref, sync, hook }) => ({
        group: ref.group,
        version: '',
        kind: ref.kind,
        namespace: ref.namespace,
        name: ref.name,
        status: sync === 'Synced' || hook !== '' ? 'Synced' : 'SyncFailed',
        ...(hook === '' ? {} : { hookType: hook }),
      })),
    },
  }
}

function historyOf({ number, release, times, by, cause }: AttemptView, from: object): object {
  return {
    id: number,
    ...revisionsOf(release),
    deployStartedAt: times.applied || times.preflighted,
    deployedAt: times.healthy || times.ended,
    initiatedBy: cause === 'commit' ? { automated: true } : { username: by },
    ...from,
  }
}

/** Argo CD's page has its button for it where an operation runs that waits so. */
function askedOperation({ asks }: ApplicationView): object {
  const [first] = asks?.act === 'prune' ? asks.objects : []
  if (first === undefined) return {}
  const more = (asks?.objects.length ?? 0) - 1
  const named = `${first.group}/${first.kind}/${first.name}`
  return {
    phase: 'Running',
    message: `waiting for pruning confirmation of ${named}${more === 0 ? '' : ` and ${more} more resources`}`,
    finishedAt: null,
  }
}

function resourceOf({ ref, health, sync, wave, hook }: ObjectView, { asks }: ApplicationView): object {
  const isAsked = asks?.objects.some(one => refKey(one) === refKey(ref)) === true
  return {
    ...(ref.group === '' ? {} : { group: ref.group }),
    kind: ref.kind,
    ...(ref.namespace === '' ? {} : { namespace: ref.namespace }),
    name: ref.name,
    status: sync === 'Synced' ? 'Synced' : 'OutOfSync',
    ...(health.status === ''
      ? {}
      : { health: { status: health.status, ...(health.message === '' ? {} : { message: health.message }) } }),
    ...(hook === '' ? {} : { hook: true }),
    ...(sync === 'Extra' ? { requiresPruning: true } : {}),
    ...(isAsked ? { requiresDeletionConfirmation: true } : {}),
    ...(wave === 0 ? {} : { syncWave: wave }),
  }
}

/** What went wrong, or is waited for, by the state's name (release.md, "What people see"). */
function conditionsOf(view: ApplicationView): readonly object[] {
  // Without times that pass: a sentence that is another each second would be written each second.
  const { state, short: message, warnings, blockedBy } = view
  const types: Partial<Record<ApplicationView['state'], string>> = {
    RolledBack: 'RolledBack',
    Failed: 'SyncError',
    Held: 'Held',
    Unknown: 'UnknownError',
  }
  const type = types[state]
  return [
    ...(type === undefined ? [] : [{ type, message }]),
    ...blockedBy.map(gate => ({ type: 'HeldBack', message: gate.message })),
    ...warnings.map(message => ({ type: warningType(message), message })),
  ]
}

/** One, or of several sources each, in their order (`revisions`). */
function revisionsOf(release: ReleaseView | null): { readonly revision: string } | { readonly revisions: readonly string[] } {
  const { commit = '', revisions = [] } = release ?? {}
  return revisions.length > 1 ? { revisions: revisions.map(argoRevision) } : { revision: argoRevision(commit) }
}

function warningType(message: string): string {
  if (message.startsWith(chartSays)) return 'ChartWarning'
  return message.startsWith('spec.ignoreDifferences') ? 'ComparisonError' : 'InvalidSpecError'
}

/** A commit in full; of a chart its version, as Argo CD has both. */
function argoRevision(commit: string): string {
  return chartOfRevision(commit)?.version ?? commit
}
