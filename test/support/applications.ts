// Applications for end-to-end tests: a repository with a working copy, declared by the real command line, pushed to and told by webhook.
import { createHmac } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ApplicationView, AttemptView, ObjectView, StateWord } from '../../controller/view.js'
import { type WorkingCopy, workingCopy } from './git-server.js'
import { type Slipway, webhookSecret } from './slipway.js'

type Fields = Readonly<Record<string, unknown>>

export interface ApplicationOptions {
  readonly rollout?: Fields
  readonly source?: Fields
  readonly spec?: Fields
  readonly annotations?: Readonly<Record<string, string>>
  /** Where Git is read from, when that is not where the working copy pushes to. */
  readonly repoURL?: string
  /** Where the working copy pushes to, when not to a new repository of that name. */
  readonly pushURL?: string
  /** How long `settled` and `until` wait unless told otherwise, ms; a minute where nothing is said. */
  readonly patienceMs?: number
  /** Uses the repository of that one. */
  readonly of?: TestApplication
}

export interface TestApplication {
  readonly name: string
  readonly repoURL: string
  readonly copy: WorkingCopy
  /** By `slipway apply`; with fields of `spec` changed. */
  declare(spec?: Fields): Promise<void>
  /** Commits, pushes, tells the controller; gives the commit. null deletes a file. */
  push(files: Readonly<Record<string, string | null>>, message?: string): Promise<string>
  /** Pushes HEAD as it is, and tells. */
  publish(...options: readonly string[]): Promise<string>
  webhook(): Promise<void>
  view(): Promise<ApplicationView>
  history(): Promise<readonly AttemptView[]>
  /** The state, with this commit as the newest. */
  settled(commit: string, state: StateWord, withinMs?: number): Promise<ApplicationView>
  until(what: string, isSo: (view: ApplicationView) => boolean, withinMs?: number): Promise<ApplicationView>
  /** Names of the pods that the API tells. */
  pods(): Promise<readonly string[]>
}

/** Short times, so that tests are quick; `rollout` says otherwise where it matters. */
const quick = { bakeTime: '1s', healthTimeout: '20s' }
const usualPatienceMs = 60_000

/** All that an application needs of an instance, which may also be one in a cluster. */
export type Reached = Pick<Slipway, 'git' | 'work' | 'cli' | 'client' | 'node'>

/** Not declared yet: `declare` does that, usually after the first push. */
export async function application(slipway: Reached, name: string, options: ApplicationOptions = {}): Promise<TestApplication> {
  const pushURL = options.of?.repoURL ?? options.pushURL ?? (await slipway.git.create(name))
  const copy = options.of?.copy ?? (await workingCopy(join(slipway.work, 'copies', name), pushURL))
  const repoURL = options.repoURL ?? pushURL
  const file = join(slipway.work, `${name}.json`)
  const patienceMs = options.patienceMs ?? usualPatienceMs
  const webhook = () => tell(slipway, repoURL)
  const view = async () => {
    const found = await slipway.client.application(name)
    if (found === null) throw new Error(`there is no application ${name}`)
    return found
  }
  return {
    name,
    repoURL,
    copy,
    async declare(spec = {}) {
      writeFileSync(file, JSON.stringify(manifestOf(slipway, name, repoURL, options, spec)))
      const { code, out, err } = await slipway.cli('apply', '-f', file)
      if (code !== 0) throw new Error(`slipway apply ended with ${code}: ${out}${err}`)
    },
    async push(files, message) {
      const commit = await copy.push(files, message)
      await webhook()
      return commit
    },
    async publish(...more) {
      await copy.git('push', '--quiet', ...more, 'origin', 'HEAD')
      await webhook()
      return copy.git('rev-parse', 'HEAD')
    },
    webhook,
    view,
    history: () => slipway.client.history(name),
    settled: (commit, state, withinMs = patienceMs) =>
      slipway.client.until(
        name,
        `${state} with ${commit.slice(0, 7)} as the newest commit`,
        seen => seen.candidate?.commit === commit && seen.state === state,
        withinMs,
      ),
    until: (what, isSo, withinMs = patienceMs) => slipway.client.until(name, what, isSo, withinMs),
    pods: async () => (await slipway.client.tree(name)).flatMap(podNames).sort(),
  }
}

function manifestOf(slipway: Reached, name: string, repoURL: string, options: ApplicationOptions, spec: Fields): Fields {
  return {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, annotations: options.annotations ?? {} },
    spec: {
      source: { repoURL, path: '.', targetRevision: 'main', ...options.source },
      destination: { name: slipway.node, namespace: name },
      rollout: { ...quick, ...options.rollout },
      ...options.spec,
      ...spec,
    },
  }
}

/** As a Git server would, signed. It only wakes: that it was heard is all there is to wait for. */
async function tell(slipway: Reached, repoURL: string): Promise<void> {
  const body = JSON.stringify({ repoURL })
  const signature = createHmac('sha256', webhookSecret).update(body).digest('hex')
  const answer = await fetch(`${slipway.client.server}/api/webhook`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-signature': `sha256=${signature}` },
    body,
  }).catch(() => null)
  if (answer !== null && answer.status !== 202)
    throw new Error(`the webhook was answered ${answer.status} ${await answer.text()}`)
}

function podNames(object: ObjectView): readonly string[] {
  return [...(object.pod === null ? [] : [object.pod.name]), ...object.children.flatMap(podNames)]
}

/** Lines of a file that pods append to; none where there is no such file. */
export function lines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n')
  } catch {
    return []
  }
}
