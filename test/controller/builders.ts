// Builders with defaults for the decision tests: a case shows only what matters to it.
import { resolve } from 'node:path'
import {
  type Application,
  type ChartOptions,
  rolloutDefaults,
  type Source,
  type SyncPolicy,
} from '../../controller/application.js'
import type { Actor } from '../../controller/ledger.js'
import type { Candidate, CommitSha, Release, ReleaseId, Revision, TreeId } from '../../controller/release.js'
import type { StickyEntry } from '../../controller/sticky.js'
import { contentHash } from '../../runtime/contract/hash.js'
import type { Manifest } from '../../runtime/contract/manifest.js'

export const ana: Actor = { kind: 'user', name: 'ana' }
export const secondMs = 1000
export const minuteMs = 60_000

export const plainSync: SyncPolicy = {
  automated: true,
  prune: true,
  selfHeal: true,
  allowEmpty: false,
  retry: null,
  windows: [],
  options: [],
  namespaceMetadata: { labels: {}, annotations: {} },
}

export const plainChart: ChartOptions = {
  releaseName: '',
  valueFiles: [],
  ignoreMissingValueFiles: false,
  values: {},
  parameters: [],
  fileParameters: [],
  skipCrds: false,
  skipTests: false,
  skipSchemaValidation: false,
  profile: '3',
  passCredentials: false,
  namespace: '',
  kubeVersion: '',
  apiVersions: [],
}

export function sourceOf(change: Partial<Source> = {}): Source {
  return {
    repoURL: 'http://git/shop',
    path: 'shop',
    targetRevision: 'HEAD',
    chartName: '',
    name: '',
    ref: '',
    renders: true,
    directory: { recurse: false, include: '', exclude: '' },
    chart: { ...plainChart, releaseName: 'shop' },
    kustomize: null,
    kind: '',
    ...change,
  }
}

export function application(change: { readonly rollout?: object; readonly sync?: object } = {}): Application {
  const source = sourceOf()
  return {
    name: 'shop',
    uid: 'uid-1',
    project: 'default',
    labels: {},
    annotations: {},
    sources: [source],
    source,
    destination: { place: 'node/lab', kind: 'node', name: 'lab', namespace: 'shop' },
    sync: { ...plainSync, ...change.sync },
    mode: 'release',
    info: [],
    ignoreDifferences: [],
    rollout: { ...rolloutDefaults, ...change.rollout },
    health: {},
    dependsOn: [],
    revisionHistoryLimit: 10,
    deletion: 'cascade',
    parent: null,
    manifest: { apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name: 'shop' } },
    faults: [],
  } as unknown as Application
}

export interface Meta {
  readonly annotations?: Readonly<Record<string, string>>
}

function metadata(name: string, { annotations }: Meta) {
  return { name, namespace: 'shop', ...(annotations === undefined ? {} : { annotations }) }
}

/** What the image does is its name: `good:1`, `crash:2`, `never:1`, `oom:1`, `late:1`, `db:1`, `heals:1`, `missing:1`. */
export function deployment(
  name: string,
  image: string,
  options: Meta & { readonly replicas?: number; readonly recreate?: boolean; readonly hostPort?: number } = {},
): Manifest {
  const port = options.hostPort === undefined ? {} : { ports: [{ containerPort: 80, hostPort: options.hostPort }] }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(name, options),
    spec: {
      replicas: options.replicas ?? 1,
      ...(options.recreate ? { strategy: { type: 'Recreate' } } : {}),
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name, image, ...port }] } },
    },
  }
}

export function configMap(name: string, value: string, options: Meta = {}): Manifest {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(name, options), data: { value } }
}

export function claim(name: string, size: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metadata(name, {}),
    spec: { resources: { requests: { storage: size } } },
  }
}

export function service(name: string, nodePort: number): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(name, {}),
    spec: { type: 'NodePort', ports: [{ port: 80, nodePort }] },
  }
}

/** `ok:1` completes, `fail:1` fails, `long:1` takes 40 s. */
export function job(name: string, image: string, options: Meta = {}): Manifest {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name, image }] } }
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: metadata(name, options), spec: { template } }
}

export function hook(name: string, image: string, phase = 'PreSync', more: Readonly<Record<string, string>> = {}): Manifest {
  return job(name, image, { annotations: { 'argocd.argoproj.io/hook': phase, ...more } })
}

export function wave(number: number): Meta {
  return { annotations: { 'argocd.argoproj.io/sync-wave': String(number) } }
}

export function release(...objects: readonly Manifest[]): Release {
  return {
    id: `rel-${contentHash(objects)}` as ReleaseId,
    objects,
    origins: {},
    images: [],
    tree: `tree-${contentHash(objects)}` as TreeId,
  } as unknown as Release
}

export function revision(commit: string, at = 0): Revision {
  return {
    commit: commit as CommitSha,
    subject: commit,
    author: 'ana',
    committedAt: new Date(at).toISOString(),
    seenAt: at,
    pushedAt: at,
  }
}

export function candidate(of: Release, commit = 'c1', at = 0): Candidate {
  return { kind: 'release', revision: revision(commit, at), release: of, stale: null }
}

export function stickyEntry(value: string, more: Partial<StickyEntry> = {}): StickyEntry {
  const made = { name: 'randAlphaNum', file: 'templates/secret.yaml', label: 'password', loose: 'l', at: 1, idleSince: 0 }
  return { ...made, from: 'minted', value: JSON.stringify(value), ...more }
}

export function rejection(commit: string, message = 'templates/web.hbs:1:1: broken', at = 0): Candidate {
  return {
    kind: 'rejection',
    revision: revision(commit, at),
    rejection: { reason: 'TemplateError', message, excerpt: '', transient: false },
    stale: null,
  }
}

/** A file of other people's cases: beside the repository, or where `SLIPWAY_CONFORMANCE` says. */
export function conformance(path: string): string {
  return resolve(process.env.SLIPWAY_CONFORMANCE ?? resolve(import.meta.dirname, '../../../../shared/conformance'), path)
}
