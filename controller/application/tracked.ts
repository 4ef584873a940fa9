// What is followed of a source: a ref of a Git repository, or a chart of a chart repository with the versions that it may have. Both go by the
// repository's address and one text, and what is found there has one text too: a commit, or a version with what was in it.
import type { CommitSha } from '../release.js'

interface Tracking {
  readonly targetRevision: string
  readonly chartName: string
  readonly chart: { readonly passCredentials: boolean }
}

export interface AskedChart {
  readonly name: string
  /** A version, or a range of versions as Helm has it; `*`: the newest that is no pre-release. */
  readonly version: string
  /** Its repository's credentials also go to the other hosts that its index names. */
  readonly passes?: boolean
}

export interface FoundChart {
  readonly version: string
  /** Of the packed chart, 64 hex digits. */
  readonly sha256: string
}

/** No ref of Git has a space in it, so that the two never meet. */
export function trackedRef({ chartName, targetRevision, chart }: Tracking): string {
  if (chartName === '') return targetRevision
  return `${chart.passCredentials ? passing : 'chart'} ${chartName} ${targetRevision}`
}

const passing = 'chart-with-credentials'

/** null: it is a ref of Git. */
export function chartOfRef(ref: string): AskedChart | null {
  const [, kind, name, version] = /^(chart|chart-with-credentials) (\S+) (.+)$/.exec(ref) ?? []
  if (name === undefined || version === undefined) return null
  return { name, version, ...(kind === passing ? { passes: true } : {}) }
}

/** `1.2.1@sha256:...`: the same version published with other content is another revision. */
export function chartRevision({ version, sha256 }: FoundChart): CommitSha {
  return `${version}@sha256:${sha256}` as CommitSha
}

/** null: it is a commit. */
export function chartOfRevision(revision: string): FoundChart | null {
  const [, version, sha256] = /^(.+)@sha256:([0-9a-f]{64})$/.exec(revision) ?? []
  return version === undefined || sha256 === undefined ? null : { version, sha256 }
}

/** `4f2a91c`; of a chart its version. */
export function shortRevision(revision: string): string {
  return chartOfRevision(revision)?.version ?? revision.slice(0, 7)
}

/** Is this what somebody names by a commit's beginning, or by a chart's version? '' names whatever is. */
export function isNamed(revision: string, named: string): boolean {
  if (named === '') return true
  const chart = chartOfRevision(revision)
  return chart === null
    ? revision.startsWith(named)
    : named === chart.version || (named.includes('@') && revision.startsWith(named))
}
