// A rollback written to Git: one commit on the branch that puts an older tree back at the application's path. Never undoes
// what came meanwhile, never forces, and a refusal is an answer, not an error. When it is asked for is release.md's.
import * as fs from 'node:fs'
import git from 'isomorphic-git'
import { written } from '../../runtime/failpoint.js'
import type { CommitSha, TreeId } from '../release.js'
import { SourceError } from './errors.js'
import type { Repository } from './repository.js'
import type { GitStore } from './store.js'
import { entryAt, pathNames, type TreeEntry } from './tree.js'

export interface RevertOrder {
  readonly repoURL: string
  /** A branch or 'HEAD'; nothing is written to a tag or a hash. */
  readonly targetRevision: string
  readonly path: string
  readonly application: string
  readonly bad: { readonly commit: CommitSha; readonly subject: string; readonly tree: TreeId }
  readonly good: { readonly commit: CommitSha; readonly tree: TreeId }
  /** The verdict, for the message's body. */
  readonly reason: string
  readonly author: { readonly name: string; readonly email: string }
  /** ms since 1970. */
  readonly now: number
}

export const revertAuthor = { name: 'Slipway', email: 'slipway@localhost' } as const

export type RevertResult =
  | { readonly kind: 'pushed'; readonly commit: CommitSha; readonly branch: string }
  /** It would undo something else, or there is nothing to do. */
  | { readonly kind: 'dropped'; readonly why: string }
  /** Git would not have it, or could not be asked; `transient`: asking again later may help. */
  | { readonly kind: 'refused'; readonly message: string; readonly transient: boolean }

const maxRaces = 5

/** Throws only what `signal` says. */
export async function writeRevert(store: GitStore, order: RevertOrder, signal: AbortSignal): Promise<RevertResult> {
  try {
    for (let race = 0; race < maxRaces; race++) {
      const result = await tryRevert(store, order, signal)
      if (result !== 'raced') return result
    }
    return { kind: 'refused', message: 'others pushed to the branch each time the revert was to be pushed', transient: true }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof SourceError) return { kind: 'refused', message: error.message, transient: error.transient }
    return { kind: 'refused', message: `the revert commit could not be made: ${(error as Error).name}`, transient: true }
  }
}

async function tryRevert(store: GitStore, order: RevertOrder, signal: AbortSignal): Promise<RevertResult | 'raced'> {
  const { tip, ref } = await store.poll(order.repoURL, order.targetRevision, signal)
  if (!ref.startsWith('refs/heads/')) return { kind: 'dropped', why: `${order.targetRevision} is not a branch` }
  const { repository } = store.placeOf(order.repoURL)
  const names = pathNames(order.path)
  const { tree: root } = await repository.commit(tip)
  const why = whyNot(await entryAt(repository, root, names), order)
  if (why !== null) return { kind: 'dropped', why }
  if (!(await repository.holds(order.good.tree))) await store.ensure(order.repoURL, order.good.commit, signal)
  return commitAndPush(store, order, { tip, root, ref, names }, signal)
}

function whyNot(there: TreeEntry | null, order: RevertOrder): string | null {
  const path = order.path === '' || order.path === '.' ? 'the repository' : order.path
  if (order.bad.tree === order.good.tree) return `${path} is the same in both: the cause lies elsewhere`
  if (there?.oid === order.good.tree) return `${path} was put back meanwhile`
  if (there?.oid !== order.bad.tree) return `${path} was changed meanwhile: a fix is not undone`
  return null
}

interface Tip {
  readonly tip: CommitSha
  readonly root: string
  readonly ref: string
  readonly names: readonly string[]
}

async function commitAndPush(
  store: GitStore,
  order: RevertOrder,
  tip: Tip,
  signal: AbortSignal,
): Promise<RevertResult | 'raced'> {
  const { repository, transport } = store.placeOf(order.repoURL)
  const localRef = `refs/slipway/reverts/${order.bad.commit}-${order.now}`
  return repository.exclusively(async () => {
    const tree = await graft(repository, tip.root, tip.names, order.good.tree)
    const commit = (await git.writeCommit({
      fs,
      gitdir: repository.gitdir,
      commit: commitObject(order, tree, tip.tip),
    })) as CommitSha
    await repository.setRef(localRef, commit)
    try {
      await written('controller.revert.pushed', () => transport.push(repository.gitdir, localRef, tip.ref, signal))
      return { kind: 'pushed', commit, branch: tip.ref.slice('refs/heads/'.length) }
    } catch (error) {
      if (error instanceof SourceError && error.reason === 'PushRejected') return 'raced'
      throw error
    } finally {
      await repository.deleteRef(localRef)
    }
  })
}

/** The tree `root` with `tree` at `names`; everything else keeps its mode and id. */
async function graft(repository: Repository, root: string, names: readonly string[], tree: string): Promise<string> {
  const [name, ...rest] = names
  if (name === undefined) return tree
  const { tree: entries } = await git.readTree({ fs, gitdir: repository.gitdir, oid: root })
  const entry = entries.find(each => each.path === name)
  if (entry === undefined) throw new SourceError('PathNotFound', `${name} is no longer in the branch`)
  const below = await graft(repository, entry.oid, rest, tree)
  return git.writeTree({
    fs,
    gitdir: repository.gitdir,
    tree: entries.map(each => (each === entry ? { ...each, oid: below } : each)),
  })
}

function commitObject(order: RevertOrder, tree: string, parent: string) {
  const who = { ...order.author, timestamp: Math.floor(order.now / 1000), timezoneOffset: 0 }
  return { tree, parent: [parent], author: who, committer: who, message: revertMessage(order) }
}

/** As `git revert` words it, so that people and tools know it. Lines of the reason cannot pass for trailers or headers. */
export function revertMessage(order: Pick<RevertOrder, 'bad' | 'good' | 'reason' | 'application' | 'path'>): string {
  const path = order.path === '' || order.path === '.' ? 'the whole repository' : order.path
  return [
    `Revert "${order.bad.subject.replace(/\s+/g, ' ').trim()}"`,
    '',
    `This reverts commit ${order.bad.commit}.`,
    '',
    ...wrapped(order.reason.replace(/[\u0000-\u001f\u007f\s]+/g, ' ').trim(), 72),
    '',
    ...wrapped(`Written by Slipway after a rollback: ${path} is again as it was in ${order.good.commit.slice(0, 12)}.`, 72),
    '',
    `Slipway-Application: ${order.application}`,
    '',
  ].join('\n')
}

function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
