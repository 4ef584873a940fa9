// What is taken back from nodes when the store was lost: which applications, and whose children they are.
import t from 'tap'
import { lostOnes, parentsOf, recovery } from '../../controller/adoption.js'
import type { Entry } from '../../controller/applications.js'
import { newLedger } from '../../controller/ledger.js'
import { refOf } from '../../runtime/contract/manifest.js'
import { ana } from './builders.js'

const kept = (name: string, epoch: number) => ({ ledger: newLedger({ name, uid: `${name}-1` }, 'node/n1', 'salt'), epoch })

t.test('taken back is what the store cannot know of, and the newest word on it', async t => {
  const table: readonly [
    string,
    readonly ReturnType<typeof kept>[],
    readonly string[],
    readonly (readonly [string, number])[],
  ][] = [
    ['older than the store', [kept('a', 10)], [], [['a', 10]]],
    ['ordered by who has this store', [kept('a', 100)], [], []],
    ['known already', [kept('a', 10)], ['a'], []],
    [
      'of two places the newest',
      [kept('a', 30), kept('a', 20), kept('b', 10)],
      [],
      [
        ['a', 30],
        ['b', 10],
      ],
    ],
  ]
  for (const [what, all, known, taken] of table)
    t.same(
      lostOnes(all, name => known.includes(name), 100).map(({ ledger, epoch }) => [ledger.application.name, epoch]),
      taken,
      what,
    )
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
