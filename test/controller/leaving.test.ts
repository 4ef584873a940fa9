import t from 'tap'
import { leavesBehind, tooOld } from '../../controller/leaving.js'
import type { Ledger } from '../../controller/ledger.js'
import { newLedger } from '../../controller/ledger.js'
import type { Release } from '../../controller/release.js'
import type { LeftBehind } from '../../controller/store/store.js'
import { type Manifest, refOf } from '../../runtime/contract/manifest.js'
import { stickyEntry } from './builders.js'

const object = (kind: string, name: string, rest: object = {}): Manifest => ({
  apiVersion: kind === 'StatefulSet' ? 'apps/v1' : 'v1',
  kind,
  metadata: { name, namespace: 'shop' },
  ...rest,
})
const claim = object('PersistentVolumeClaim', 'data')
const minted = object('Secret', 'db', { stringData: { password: 'correct-horse' } })
const encoded = object('Secret', 'cache', { data: { url: Buffer.from('redis://correct-horse@cache').toString('base64') } })
const plain = object('ConfigMap', 'web', { data: { colour: 'red' } })
const by = { kind: 'user', name: 'ana' } as const

function left(objects: readonly Manifest[], cascade: boolean, owned = objects) {
  const ledger = {
    ...newLedger({ name: 'shop', uid: 'u' }, 'node/n1', 'salt'),
    sticky: { p: stickyEntry('correct-horse') },
    deletion: { by, at: 1, cascade },
    current: { owned: owned.map(refOf) },
  } as unknown as Ledger
  const { objects: kept, endedAt } = leavesBehind(ledger, { objects } as Release, 7)
  return { names: kept.map(({ metadata }) => metadata.name), endedAt }
}

t.test('what is let go is left whole; of what is ended, what its data can be read with', async t => {
  const all = [claim, minted, encoded, plain]
  const set = object('StatefulSet', 'db', { spec: { volumeClaimTemplates: [{ metadata: { name: 'data' } }] } })
  const table = [
    ['let go: all that it has', left(all, false), ['data', 'db', 'cache', 'web'], undefined],
    ['let go: not what it never had', left(all, false, [plain]), ['web'], undefined],
    ['ended with a volume: what holds a minted value', left(all, true), ['db', 'cache'], 7],
    ['the volume of a StatefulSet is one', left([set, minted], true), ['db'], 7],
    ['ended, and nothing of it stays', left([minted, encoded, plain], true), [], 7],
    ['nothing that it never had', left(all, true, [claim, encoded]), ['cache'], 7],
  ] as const
  for (const [what, { names, endedAt }, expected, at] of table) {
    t.same(names, expected, what)
    t.equal(endedAt, at, what)
  }
  t.same(leavesBehind(newLedger({ name: 'shop', uid: 'u' }, 'node/n1', 'salt'), null, 7).objects, [])
})

t.test('the oldest of what was ended make room; what was let go runs, and stays', async t => {
  const one = (uid: string, endedAt?: number): LeftBehind => ({
    application: { name: uid, uid },
    place: 'node/n1',
    objects: [minted],
    ...(endedAt === undefined ? {} : { endedAt }),
  })
  const all = [one('c', 3), one('runs'), one('a', 1), one('b', 2)]

  t.same(
    tooOld(all, 2).map(({ application }) => application.uid),
    ['a'],
  )
  t.same(tooOld(all, 3), [])
})
