// What is taken back from nodes when the store was lost: which applications, and whose children they are.
import t from 'tap'
import { foundIn, parentsOf, recovery } from '../../controller/adoption.js'
import type { Entry } from '../../controller/applications.js'
import { type Ledger, newLedger } from '../../controller/ledger.js'
import { refOf } from '../../runtime/contract/manifest.js'
import { ana } from './builders.js'

/** At a place, ordered in an epoch, having last moved at a time. */
const kept = (name: string, epoch: number, node = 'lab', movedAt = 0) => {
  const ledger = newLedger({ name, uid: `${name}-1` }, `node/${node}`, 'salt')
  return { ledger: { ...ledger, attempt: { times: { seen: movedAt } } } as unknown as Ledger, epoch }
}
const known = (node: string, until: number | null, uid = 'a-1') => ({ uid, place: `node/${node}`, until })

t.test('taken back is what the store cannot know of, and the newest word on it; other places are left', async t => {
  type Kept = readonly ReturnType<typeof kept>[]
  const table: readonly [string, Kept, ReturnType<typeof known> | null, readonly string[], readonly string[]][] = [
    ['older than the store', [kept('a', 10)], null, ['a lab 10'], []],
    ['ordered by who has this store', [kept('a', 100)], null, [], []],
    ['known already', [kept('a', 10)], known('lab', null), [], []],
    [
      'of two places the newest',
      [kept('a', 30), kept('a', 20, 'old'), kept('b', 10)],
      null,
      ['a lab 30', 'b lab 10'],
      ['a old 20'],
    ],
    [
      'of two places of one epoch the one that moved last',
      [kept('a', 10, 'new', 9), kept('a', 10, 'old', 5)],
      null,
      ['a new 10'],
      ['a old 10'],
    ],
    ['its former place is heard later', [kept('a', 10, 'old', 5)], known('new', 9), [], ['a old 10']],
    ['its former place was heard first', [kept('a', 10, 'new', 9)], known('old', 5), ['a new 10'], []],
    ['the same, but a person said since where it is', [kept('a', 10, 'new', 9)], known('old', null), [], ['a new 10']],
    ['one of that name, but another', [kept('a', 10, 'new', 9)], known('old', 5, 'a-2'), [], []],
  ]
  const texts = (all: Kept) => all.map(({ ledger, epoch }) => `${ledger.application.name} ${ledger.place.slice(5)} ${epoch}`)
  for (const [what, all, is, taken, left] of table) {
    const found = foundIn(all, name => (name === 'a' ? is : null), 100)
    t.same([texts(found.taken), texts(found.left)], [taken, left], what)
  }
})

const manifest = (name: string) => ({ apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name } })

function entry(
  name: string,
  owned: readonly string[] = [],
  more: Partial<Entry['stored']> = {},
  refused: readonly string[] = [],
) {
  const refs = (names: readonly string[]) => names.map(each => refOf(manifest(each)))
  const current = { owned: refs(owned), refused: refs(refused).map(ref => ({ ref, message: 'no' })) }
  return {
    stored: { name, parent: null, by: recovery, manifest: manifest(name), ...more } as Entry['stored'],
    ledger: { ...newLedger({ name, uid: 'u' }, 'node/n1', 'salt'), current } as unknown as Entry['ledger'],
  }
}

function ending({ stored, ledger }: ReturnType<typeof entry>): ReturnType<typeof entry> {
  return { stored, ledger: { ...ledger, deletion: { by: ana, at: 1, cascade: true } } }
}

t.test('a child that came back without its parent is given to who declared it', async t => {
  const table: readonly [string, readonly ReturnType<typeof entry>[], readonly (readonly [string, string])[]][] = [
    ['its parent is there', [entry('kid'), entry('fleet', ['kid'])], [['kid', 'fleet']]],
    ['its parent is not there yet', [entry('kid')], []],
    ['it has one', [entry('kid', [], { parent: 'fleet' }), entry('fleet', ['kid'])], []],
    ['a person declared it since', [entry('kid', [], { by: ana }), entry('fleet', ['kid'])], []],
    [
      'the one that may not have it',
      [entry('kid'), entry('armada', ['kid'], {}, ['kid']), entry('fleet', ['kid'])],
      [['kid', 'fleet']],
    ],
    ['not of itself', [entry('kid', ['kid'])], []],
    ['one that is being deleted', [ending(entry('kid')), entry('fleet', ['kid'])], []],
  ]
  for (const [what, entries, parents] of table) t.same([...parentsOf(entries)], parents, what)
})
