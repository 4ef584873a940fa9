// Many applications of one repository, a directory for each: declared, pushed to, counted.
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ApplicationView } from '../../controller/view.js'
import { type Client, clientOf } from '../../examples/demo/client.js'
import { announce, authored } from './push/applications.js'
import type { Instance } from './push/instance.js'

const run = promisify(execFile)

export interface Fleet {
  readonly instance: Instance
  readonly url: string
  /** Of all: `{ name: 'bench' }`; without a namespace, each has one of its own name. */
  readonly destination: { readonly name: string; readonly namespace?: string }
  readonly signal: AbortSignal
}

/** Writes files, commits, pushes, announces; gives the commit and when the push had ended (ms since 1970). */
export type Push = (files: Readonly<Record<string, string>>) => Promise<{ readonly commit: string; readonly at: number }>

export function nameOf(number: number): string {
  return `app-${String(number).padStart(4, '0')}`
}

export async function openFleet(instance: Instance, url: string): Promise<Push> {
  const directory = join(instance.home, 'bench/fleet')
  mkdirSync(directory, { recursive: true })
  const inside = (...args: readonly string[]) => run('git', ['-C', directory, ...args], { env: authored })
  await inside('init', '--quiet', '--initial-branch=main')
  await inside('remote', 'add', 'origin', url)
  return async files => {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(directory, path, '..'), { recursive: true })
      writeFileSync(join(directory, path), content)
    }
    await inside('add', '-A')
    await inside('commit', '--quiet', '-m', 'Change something')
    await inside('push', '--quiet', 'origin', 'HEAD:main')
    const commit = (await inside('rev-parse', 'HEAD')).stdout.trim()
    const at = Date.now()
    await announce(instance, url)
    return { commit, at }
  }
}

/** `apps/app-0001` of the repository for each, eight at a time, as eight callers: each may ask 50 times a second only. */
export async function declareAll(fleet: Fleet, numbers: readonly number[]): Promise<void> {
  const waiting = [...numbers]
  const worker = async (_: unknown, at: number) => {
    const client = await callerOf(fleet, `bench-${at}`)
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift())
      await declare(fleet, client, nameOf(number))
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

async function callerOf({ instance: { client } }: Fleet, name: string): Promise<Client> {
  const made = (await client.call('POST', '/api/v1/tokens', { name, role: 'admin' })) as { readonly token: string }
  return clientOf(client.server, made.token)
}

/** Asked again where the store was too slow to keep it (503), or too much is asked (429), as the answers say. */
async function declare({ url, destination, signal }: Fleet, client: Client, name: string): Promise<void> {
  const manifest = {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name },
    spec: {
      source: { repoURL: url, path: `apps/${name}`, targetRevision: 'main' },
      destination: { namespace: name, ...destination },
    },
  }
  for (let tries = 1; ; tries++) {
    try {
      return void (await client.call('PUT', `/api/v1/applications/${name}`, manifest))
    } catch (error) {
      if (tries === 20 || !/: (503|429) /.test((error as Error).message)) throw error
      await delay(1000, undefined, { signal })
    }
  }
}

/** Looked at every five seconds, for half an hour at most. */
export async function allHealthy(
  { instance, signal }: Pick<Fleet, 'instance' | 'signal'>,
  count: number,
  say: (line: string) => void,
): Promise<readonly ApplicationView[]> {
  const deadline = Date.now() + 1_800_000
  for (let said = -1; ; ) {
    const views = await everyView(instance)
    const healthy = views.filter(view => view.state === 'Healthy').length
    if (healthy === count) return views
    if (Date.now() > deadline) throw new Error(`${healthy} of ${count} are healthy after half an hour`)
    if (healthy !== said) say(`  ${healthy} of ${count} healthy`)
    said = healthy
    await delay(5000, undefined, { signal })
  }
}

async function everyView({ client }: Instance): Promise<readonly ApplicationView[]> {
  const views: ApplicationView[] = []
  for (let at = ''; ; ) {
    const query = at === '' ? '' : `&continue=${encodeURIComponent(at)}`
    const page = (await client.call('GET', `/api/v1/applications?limit=500${query}`)) as {
      readonly items: readonly ApplicationView[]
      readonly continue: string
    }
    views.push(...page.items)
    if (page.continue === '') return views
    at = page.continue
  }
}
