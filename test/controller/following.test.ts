// Whom a new commit wakes, and in which order.
import t from 'tap'
import type { Applications, Entry } from '../../controller/applications.js'
import { createFollowing } from '../../controller/following.js'
import { newLedger } from '../../controller/ledger.js'
import { application, candidate, configMap, release, sourceOf } from './builders.js'

const runs = release(configMap('web', 'a'))

function entry(name: string, path = `apps/${name}`): Entry {
  const source = sourceOf({ path })
  const app = { ...application(), name, source, sources: [source] }
  const ledger = {
    ...newLedger(app, 'node/lab', 'salt'),
    current: { release: runs.id },
    attempt: { number: 1, release: runs.id, outcome: 'Healthy' },
  }
  return { app, ledger, pass: { app, candidate: candidate(runs, 'c1') }, failure: null, ill: null } as unknown as Entry
}

/** What happens to each of them, in order. `moved`: what its source says of it; `kept`: what is known without a render. */
async function told(moved: (name: string) => boolean | Error, kept: (name: string) => string | null): Promise<readonly string[]> {
  const entries = new Map(Array.from({ length: 30 }, (_, at) => [`a${at}`, entry(`a${at}`)]))
  const log: string[] = []
  const applications: Pick<Applications, 'get' | 'all' | 'inTurn' | 'noted'> = {
    get: name => entries.get(name) ?? null,
    all: () => [...entries.values()],
    inTurn: async (name, pass) => pass(entries.get(name)!),
    noted: (name, found) => void log.push(`${name} is at ${found.revision?.commit}`),
  }
  const following = createFollowing({
    applications,
    sources: {
      isMoved: async ({ name }) => {
        const answer = moved(name)
        if (answer instanceof Error) throw answer
        return answer
      },
      kept: async ({ name }) => {
        const commit = kept(name)
        return commit === null ? null : candidate(runs, commit)
      },
    },
    follow: () => () => {},
    wake: name => void log.push(`${name} wakes`),
    forget: () => {},
    signal: new AbortController().signal,
  })
  const { repoURL, targetRevision } = entry('x').app.source
  await following.lookAtFollowers(repoURL, targetRevision)
  await new Promise(resolve => setTimeout(resolve, 20))
  return log
}

t.test('those that a commit moves are on their way before any other is looked at', async t => {
  const log = await told(
    name => name === 'a17' || name === 'a29',
    name => (name === 'a17' || name === 'a29' ? null : 'c2'),
  )
  t.same(log.slice(0, 2), ['a17 wakes', 'a29 wakes'])
  t.equal(log.length, 30)
  t.same(new Set(log.slice(2).map(line => line.replace(/^a\d+ /, ''))), new Set(['is at c2']), 'of the others it is noted only')
})

t.test('one that turns out the same is noted, one that does not gets a pass', async t => {
  const log = await told(
    name => name !== 'a3',
    name => (name === 'a5' ? 'c2' : null),
  )
  t.equal(log.filter(line => line.endsWith('wakes')).length, 29)
  t.ok(log.includes('a5 is at c2'))
})

t.test('where it cannot be found out, a pass does', async t => {
  const log = await told(
    () => new Error('the disk is full'),
    () => null,
  )
  t.equal(log.filter(line => line.endsWith('wakes')).length, 30)
})
