// Where sources come from, under one roof: Git repositories and chart repositories are polled, described and read by the same three questions.
import { type AskedChart, chartOfRef, chartOfRevision } from './application/tracked.js'
import type { GitStore } from './git/store.js'
import type { CommitSha, GitTree } from './release.js'

export interface OriginsOptions {
  readonly git: Pick<GitStore, 'poll' | 'revisionOf' | 'treeAt' | 'idAt'>
  readonly charts: {
    poll(repoURL: string, asked: AskedChart, signal: AbortSignal): Promise<{ readonly tip: CommitSha }>
    treeAt(repoURL: string, revision: CommitSha, path: string): Promise<GitTree>
  }
}

/** `ref`: of `trackedRef`. */
export interface Origins {
  poll(url: string, ref: string, signal: AbortSignal): Promise<{ readonly tip: CommitSha }>
  revisionOf: GitStore['revisionOf']
  treeAt(url: string, revision: CommitSha, path: string): Promise<GitTree>
  /** Of a folder or a file; null where nothing is, or where ids say nothing. */
  idAt(url: string, revision: CommitSha, path: string): Promise<string | null>
}

export function createOrigins({ git, charts }: OriginsOptions): Origins {
  return {
    poll(url, ref, signal) {
      const chart = chartOfRef(ref)
      return chart === null ? git.poll(url, ref, signal) : charts.poll(url, chart, signal)
    },
    async revisionOf(url, commit) {
      const chart = chartOfRevision(commit)
      if (chart === null) return git.revisionOf(url, commit)
      // Nobody signs a published chart: who serves it stands for its author.
      return { commit, subject: `chart version ${chart.version}`, author: hostOf(url), committedAt: '' }
    },
    idAt: async (url, revision, path) => (chartOfRevision(revision) === null ? git.idAt(url, revision, path) : null),
    treeAt: (url, revision, path) => (chartOfRevision(revision) === null ? git : charts).treeAt(url, revision, path),
  }
}

/** `https://bob:pw@charts.example.com:8080/stable` -> `charts.example.com` */
function hostOf(url: string): string {
  return /^(?:[a-z]+:\/\/)?(?:[^@/?#]*@)?(\[[^\]]*\]|[^:/?#]*)/i.exec(url)?.[1] ?? ''
}
