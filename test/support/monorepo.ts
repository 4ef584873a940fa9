// One repository with a folder for each application, read and rendered as the controller does it.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Application, parseApplication } from '../../controller/application.js'
import type { Bringing } from '../../controller/charts/complete.js'
import { chartTrees } from '../../controller/charts/tree.js'
import { GitStore } from '../../controller/git/store.js'
import { type Ledger, newLedger } from '../../controller/ledger.js'
import type { Candidate, CommitSha } from '../../controller/release.js'
import { type Candidates, makeCandidates } from '../../controller/render/candidate.js'
import { RenderPool } from '../../controller/render/pool.js'
import { createSources, type Sources } from '../../controller/sources.js'
import { keeping } from '../../controller/sticky.js'
import { answerTo } from '../../renderer/index.js'
import { authored } from '../bench/push/applications.js'

const run = promisify(execFile)

export interface Tree {
  /** null: deleted. */
  readonly [path: string]: string | Uint8Array | null
}

export class Monorepo {
  readonly #root = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
  readonly #work = join(this.#root, 'work')
  readonly #git = new GitStore({
    directory: join(this.#root, 'store'),
    credentialsOf: () => null,
    path: process.env.PATH ?? '',
  })
  readonly #pool = new RenderPool({ timeoutMs: 120_000 })
  /** None of the charts here needs another that is not in the repository. */
  readonly #charts = chartTrees({ bringing: noCharts(), aliases: {} })
  readonly #renders: Candidates = makeCandidates(this.#pool)
  readonly #sources: Sources
  readonly #apps = new Map<string, { readonly app: Application; readonly ledger: Ledger }>()
  #tip: CommitSha = '' as CommitSha

  constructor() {
    this.#sources = createSources({
      tip: () => ({ tip: this.#tip, seenAt: 1, pushedAt: 0, staleSince: 0, error: null }),
      revisionOf: (url, commit) => this.#git.revisionOf(url, commit),
      treeAt: (url, commit, path) => this.#git.treeAt(url, commit, path),
      idAt: (url, commit, path) => this.#git.idAt(url, commit, path),
      withKustomize: async () => null,
      notPermitted: () => null,
      childNotPermitted: () => '',
      withCharts: async ({ sticky, ...asked }, signal) => ({
        ...(await this.#charts.treeOf({ ...asked, pins: {} }, signal)),
        kept: {},
      }),
      candidateOf: (request, signal) => this.#renders.candidateOf(request, signal),
      keptOf: request => this.#renders.keptOf(request),
      ownerOf: () => null,
      live: () => [],
      isDeclared: () => false,
      declared,
    })
  }

  get counts(): Candidates['counts'] {
    return this.#renders.counts
  }

  get tip(): CommitSha {
    return this.#tip
  }

  /** Whether the newest commit is another for it than the one that it was last asked about. */
  isMoved(name: string): Promise<boolean> {
    return this.#sources.isMoved(this.#apps.get(name)!.app)
  }

  declare(name: string, source: object): void {
    const manifest = {
      apiVersion: 'slipway.dev/v1alpha1',
      kind: 'Application',
      metadata: { name },
      spec: {
        source: { repoURL: this.#work, targetRevision: 'main', ...source },
        destination: { name: 'lab', namespace: 'demo' },
      },
    }
    const { application, faults } = parseApplication(manifest, declared)
    if (application === null) throw new Error(faults.map(fault => fault.message).join('; '))
    this.#apps.set(name, { app: application, ledger: newLedger(application, application.destination.place, 'salt') })
  }

  /** The tip from now on. */
  async commit(files: Tree, signal: AbortSignal): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.#work, path)), { recursive: true })
      if (content === null) rmSync(join(this.#work, path))
      else writeFileSync(join(this.#work, path), content)
    }
    const git = (...args: readonly string[]) => run('git', ['-C', this.#work, ...args], { env: authored })
    await git('init', '--quiet', '--initial-branch=main')
    // Charts bring a .gitignore of their own.
    await git('add', '--all', '--force')
    await git('commit', '--quiet', '-m', 'Change something')
    this.#tip = (await this.#git.poll(this.#work, 'main', signal)).tip
  }

  async treeOf(path: string): Promise<string> {
    return (await this.#git.treeAt(this.#work, this.#tip, path)).treeId
  }

  /** What is known of it without a render. */
  kept(name: string, signal: AbortSignal): Promise<Candidate | null> {
    const known = this.#apps.get(name)
    if (known === undefined) throw new Error(`${name} is not declared`)
    return this.#sources.kept(known.app, known.ledger, signal)
  }

  /** What it was made with is kept for the next one. */
  async candidate(name: string, signal: AbortSignal): Promise<Candidate | null> {
    const known = this.#apps.get(name)
    if (known === undefined) throw new Error(`${name} is not declared`)
    const candidate = await this.#sources.candidate(known.app, known.ledger, signal)
    this.#apps.set(name, { ...known, ledger: keeping(known.ledger, candidate) })
    return candidate
  }

  async close(): Promise<void> {
    this.#pool.close()
    await this.#git.close()
    rmSync(this.#root, { recursive: true, force: true })
  }
}

/** Charts are read here, and fetched from nowhere; folders of the repository are packed. */
function noCharts(): () => Bringing {
  const refuse = (): never => {
    throw new Error('no chart is to be fetched here')
  }
  const packed = new Map<string, Buffer>()
  const store: Bringing['store'] = {
    content: async sha256 => packed.get(sha256) ?? null,
    async keep(bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      packed.set(sha256, Buffer.from(bytes))
      return sha256
    },
  }
  return () => ({ read: async question => answerTo(question), get: refuse, store })
}

const declared = { uid: 'u', parent: null, defaultNode: 'lab', readYaml: () => ({}) }
