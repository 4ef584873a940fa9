// Speaking to a remote: list refs, fetch into a bare repository, push from it. http(s) through isomorphic-git, a local path
// through the system's git. Knows nothing of what is fetched or why.
import { execFile } from 'node:child_process'
import * as fs from 'node:fs'
import git, { type HttpClient } from 'isomorphic-git'
import { SourceError, sourceErrorOf } from './errors.js'
import { fetchShallow, listRefs } from './fetch.js'
import { type Connections, httpClient } from './http.js'
import { authorizationOf, type Remote } from './url.js'

type HttpRemote = Extract<Remote, { kind: 'http' }>
type LocalRemote = Extract<Remote, { kind: 'local' }>

const infiniteDepth = 2_147_483_647

export interface RemoteRef {
  readonly ref: string
  readonly oid: string
  /** What an annotated tag points at in the end; null where it is not one or the server did not say. */
  readonly peeled: string | null
  /** What HEAD points at: `refs/heads/main`; null for other refs. */
  readonly target: string | null
}

export interface FetchWant {
  /** The full name of a ref, or a full hash. */
  readonly what: string
  /** What it is at the remote: a commit or a tag of one. */
  readonly oid: string
  /** A local ref whose commit is here whole; null to start with. */
  readonly haveRef: string | null
}

/** Throws SourceError. `PushRejected`: someone else pushed meanwhile; `PushRefused`: not allowed. */
export interface Transport {
  /** Refs whose full name begins with `prefix`. */
  refs(prefix: string, signal: AbortSignal): Promise<readonly RemoteRef[]>
  /** Gives the hash of what was fetched: of a ref that moved since it was listed it may be the newer one. */
  fetch(gitdir: string, want: FetchWant, signal: AbortSignal): Promise<string>
  /** The whole history of a ref, where a commit in its middle is wanted and the server does not give it by its hash. */
  fetchHistory(gitdir: string, ref: string, signal: AbortSignal): Promise<void>
  push(gitdir: string, localRef: string, remoteRef: string, signal: AbortSignal): Promise<void>
}

export interface TransportLimits {
  readonly listDeadlineMs: number
  readonly transferDeadlineMs: number
  readonly maxBytes: number
}

export function httpTransport(remote: HttpRemote, connections: Connections, limits: TransportLimits): Transport {
  const authorization = remote.credentials === null ? null : authorizationOf(remote.credentials)
  /** With a deadline for the whole of it. */
  const over = async <T>(work: (http: HttpClient) => Promise<T>, signal: AbortSignal, deadlineMs: number): Promise<T> => {
    const limited = limitedTo(signal, deadlineMs)
    try {
      return await work(httpClient({ connections, authorization, maxBytes: limits.maxBytes, signal: limited.signal }))
    } catch (error) {
      versions.delete(remote.url) // another server may stand there now
      return rethrow(error, remote.shown, signal)
    } finally {
      limited.end()
    }
  }
  const { listDeadlineMs, transferDeadlineMs } = limits
  return {
    refs: (prefix, signal) => over(http => refsOverHttp(remote, prefix, http), signal, listDeadlineMs),
    fetch: (gitdir, want, signal) => over(http => fetchOverHttp(gitdir, want, remote, http), signal, transferDeadlineMs),
    fetchHistory: async (gitdir, ref, signal) => {
      const want = { what: ref, haveRef: null, depth: infiniteDepth }
      await over(http => fetchVersion1(gitdir, want, remote, http), signal, transferDeadlineMs)
    },
    push: (gitdir, localRef, remoteRef, signal) =>
      over(http => pushOverHttp(gitdir, localRef, remoteRef, remote, http), signal, transferDeadlineMs),
  }
}

/** What AbortSignal.any and AbortSignal.timeout make lives until the time is over, at each poll of each repository. */
function limitedTo(signal: AbortSignal, ms: number): { readonly signal: AbortSignal; readonly end: () => void } {
  const limited = new AbortController()
  const abort = (): void => limited.abort(signal.reason)
  const clock = setTimeout(() => limited.abort(new DOMException('no whole answer in time', 'TimeoutError')), ms)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  const end = (): void => {
    clearTimeout(clock)
    signal.removeEventListener('abort', abort)
  }
  return { signal: limited.signal, end }
}

function rethrow(error: unknown, shown: string, signal: AbortSignal): never {
  if (signal.aborted) throw signal.reason
  throw sourceErrorOf(error, shown)
}

async function refsOverHttp(remote: HttpRemote, prefix: string, http: HttpClient): Promise<readonly RemoteRef[]> {
  if (await speaksVersion2(remote.url, http)) return listRefs(remote.url, prefix, http, remote.shown)
  const refs = await git.listServerRefs({ http, url: remote.url, prefix, symrefs: true, peelTags: true, protocolVersion: 1 })
  return refs.map(({ ref, oid, peeled, target }) => ({ ref, oid, peeled: peeled ?? null, target: target ?? null }))
}

async function fetchOverHttp(gitdir: string, want: FetchWant, remote: HttpRemote, http: HttpClient): Promise<string> {
  if (!(await speaksVersion2(remote.url, http)))
    return fetchVersion1(gitdir, { ...want, depth: want.haveRef === null ? 1 : null }, remote, http)
  const have = want.haveRef === null ? null : await git.resolveRef({ fs, gitdir, ref: want.haveRef }).catch(() => null)
  await fetchShallow(gitdir, remote.url, { oid: want.oid, have }, http, remote.shown)
  return want.oid
}

/** By URL: whether the server speaks version 2 and its `fetch`; asked once a process. */
const versions = new Map<string, boolean>()

async function speaksVersion2(url: string, http: HttpClient): Promise<boolean> {
  const known = versions.get(url)
  if (known !== undefined) return known
  const info = await git.getRemoteInfo2({ http, url, protocolVersion: 2 })
  const speaks = info.protocolVersion === 2 && 'fetch' in info.capabilities
  versions.set(url, speaks)
  return speaks
}

interface Version1Want {
  readonly what: string
  readonly haveRef: string | null
  /** 1 to begin with, null later: with it, isomorphic-git downloads the whole tree each time. */
  readonly depth: number | null
}

/** For servers of the old protocol. A rewritten history comes whole; cloning anew past so many packs drops it again. */
async function fetchVersion1(gitdir: string, want: Version1Want, remote: HttpRemote, http: HttpClient): Promise<string> {
  const depth = want.depth === null ? {} : { depth: want.depth }
  const ref = want.haveRef ?? 'refs/slipway/nothing'
  const result = await git
    .fetch({
      fs,
      http,
      gitdir,
      url: remote.url,
      remote: 'origin',
      ref,
      remoteRef: want.what,
      singleBranch: true,
      tags: false,
      ...depth,
    })
    .catch(error => {
      if ((error as { code?: string }).code !== 'NotFoundError') throw error
      throw new SourceError('RevisionNotFound', `${remote.shown} does not have ${want.what} any more`)
    })
  if (result.fetchHead === null) throw new SourceError('RevisionNotFound', `${remote.shown} is empty: push a first commit`)
  return result.fetchHead
}

async function pushOverHttp(
  gitdir: string,
  localRef: string,
  remoteRef: string,
  remote: HttpRemote,
  http: HttpClient,
): Promise<void> {
  try {
    await git.push({ fs, http, gitdir, url: remote.url, remote: 'origin', ref: localRef, remoteRef, cache: {} })
  } catch (error) {
    throw pushErrorOf(error, remote.shown)
  }
}

interface PushFailure {
  readonly code?: string
  readonly data?: { readonly prettyDetails?: string }
}

function pushErrorOf(error: unknown, shown: string): unknown {
  const { code, data } = error as PushFailure
  if (code === 'PushRejectedError') return rejected(shown)
  if (code === 'GitPushError') return ofRefused(data?.prettyDetails ?? '', shown)
  return error
}

/** The server's own words on one ref: a race, or a refusal (a hook, a protected branch). */
function ofRefused(words: string, shown: string): SourceError {
  if (
    /non-fast-forward|fetch first|failed to update ref|cannot lock ref|failed to lock|incorrect old value|stale info/i.test(words)
  )
    return rejected(shown)
  const said = words
    .replace(/[\u0000-\u001f\u007f]+/g, ' ')
    .trim()
    .slice(0, 300)
  return new SourceError(
    'PushRefused',
    `${shown} refuses the push (${said}): allow it for these credentials, or set spec.rollout.writeBack to none`,
  )
}

function rejected(shown: string): SourceError {
  return new SourceError('PushRejected', `${shown} has a newer commit on the branch`, true)
}

/** `path` is the PATH that git is looked for on. */
export function localTransport(remote: LocalRemote, path: string, limits: TransportLimits): Transport {
  const run = (args: readonly string[], signal: AbortSignal, deadlineMs: number) =>
    systemGit(args, path, AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)])).catch(error => {
      if (signal.aborted) throw signal.reason
      throw localErrorOf(error as LocalFailure, remote)
    })
  const url = `file://${encodeURI(remote.path)}`
  return {
    async refs(prefix, signal) {
      const out = await run(
        ['ls-remote', '--symref', '--', url, prefix === '' ? '*' : prefix, `${prefix}*`],
        signal,
        limits.listDeadlineMs,
      )
      return parseLsRemote(out).filter(({ ref }) => ref.startsWith(prefix))
    },
    async fetch(gitdir, want, signal) {
      await run(fetchArgs(gitdir, url, want.what, 1), signal, limits.transferDeadlineMs)
      return git.resolveRef({ fs, gitdir, ref: incoming })
    },
    async fetchHistory(gitdir, ref, signal) {
      await run(fetchArgs(gitdir, url, ref, infiniteDepth), signal, limits.transferDeadlineMs)
    },
    async push(gitdir, localRef, remoteRef, signal) {
      await run(
        [`--git-dir=${gitdir}`, 'push', '--porcelain', '--', url, `${localRef}:${remoteRef}`],
        signal,
        limits.transferDeadlineMs,
      )
    },
  }
}

const incoming = 'refs/slipway/incoming'

function fetchArgs(gitdir: string, url: string, what: string, depth: number): readonly string[] {
  const fixed = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--force', `--depth=${depth}`]
  return [`--git-dir=${gitdir}`, ...fixed, '--', url, `${what}:${incoming}`]
}

interface LocalFailure {
  readonly code?: string | number
  readonly name?: string
  readonly output?: string
}

/** No shell, no configuration of the machine or of a user, no prompt, no other protocol than local files. */
function systemGit(args: readonly string[], path: string, signal: AbortSignal): Promise<string> {
  const fixed = [
    '-c',
    'core.hooksPath=/dev/null',
    '-c',
    'gc.auto=0',
    '-c',
    'protocol.allow=never',
    '-c',
    'protocol.file.allow=always',
  ]
  const env = {
    PATH: path,
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
  }
  return new Promise((resolve, reject) => {
    execFile('git', [...fixed, ...args], { env, signal, maxBuffer: 64 << 20, cwd: '/' }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(Object.assign(new Error('git failed'), { name: error.name, code: error.code, output: `${stdout}\n${stderr}` }))
    })
  })
}

function localErrorOf(failure: LocalFailure, remote: LocalRemote): SourceError {
  const said = failure.output ?? ''
  const path = remote.path
  if (failure.code === 'ENOENT')
    return new SourceError('RepositoryUnreachable', `reading ${path} needs the program git, which is not on PATH: install it`)
  if (/dubious ownership/.test(said)) {
    return new SourceError(
      'Unauthenticated',
      `${path} belongs to another user: run Slipway as that user, or give the repository to the one it runs as`,
    )
  }
  if (/\[rejected\]|cannot lock ref|failed to update ref/.test(said)) return rejected(path)
  if (/\[remote rejected\]/.test(said)) return ofRefused(/\[remote rejected\] *(.*)/.exec(said)?.[1] ?? '', path)
  if (/does not appear to be a git repository|not a git repository/.test(said)) {
    return new SourceError('RepositoryNotFound', `${path} is no Git repository: check spec.source.repoURL`)
  }
  if (/Permission denied|insufficient permission|unable to access/.test(said)) {
    return new SourceError(
      'PushRefused',
      `${path} may not be written or read by the user that Slipway runs as: change its rights`,
    )
  }
  if (/couldn't find remote ref|not our ref/.test(said))
    return new SourceError('RevisionNotFound', `${path} does not have this revision any more`)
  return sourceErrorOf({ name: failure.name, code: String(failure.code) }, remote.shown)
}

/** Lines of `<oid>\t<ref>`, `<oid>\t<ref>^{}` after its tag, `ref: <target>\tHEAD`. */
function parseLsRemote(out: string): readonly RemoteRef[] {
  const refs = new Map<string, { ref: string; oid: string; peeled: string | null; target: string | null }>()
  const of = (ref: string) => {
    const known = refs.get(ref) ?? { ref, oid: '', peeled: null, target: null }
    refs.set(ref, known)
    return known
  }
  for (const line of out.split('\n')) {
    const [left = '', ref = ''] = line.split('\t')
    if (ref === '') continue
    if (left.startsWith('ref: ')) of(ref).target = left.slice(5)
    else if (ref.endsWith('^{}')) of(ref.slice(0, -3)).peeled = left
    else of(ref).oid = left
  }
  return [...refs.values()].filter(({ oid }) => oid !== '')
}
