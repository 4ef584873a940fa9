// Differences between two lists of objects, for programs and for people; Secret values never show.

import patches from 'fast-json-patch'
import t from 'tap'
import { diffObjects, maskSecret } from '../../controller/diff.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { configMap, deployment } from './builders.js'

const secret = (data: object, more: object = {}): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'shop' },
  data,
  ...more,
})
const coded = (text: string) => Buffer.from(text).toString('base64')

t.test('objects are told as added, removed or changed, and the same ones not at all', async t => {
  const diffs = diffObjects(
    [configMap('a', '1'), configMap('b', '1'), configMap('c', '1')],
    [configMap('b', '2'), configMap('c', '1'), configMap('d', '1')],
    'key',
  )

  t.strictSame(
    diffs.map(one => [one.ref.name, one.change]),
    [
      ['a', 'removed'],
      ['b', 'changed'],
      ['d', 'added'],
    ],
  )
})

t.test('the patch leads from one object to the other', async t => {
  const [from, to] = [deployment('web', 'good:1'), deployment('web', 'good:2', { replicas: 3 })]
  const [diff] = diffObjects([from], [to], 'key')

  const patched = patches.applyPatch(structuredClone(from), diff!.patch as never).newDocument
  t.strictSame(patched, to)
})

t.test('the text shows what changed with three lines around it', async t => {
  const [diff] = diffObjects([deployment('web', 'good:1')], [deployment('web', 'good:2')], 'key')

  t.equal(
    diff!.text,
    [
      '@@',
      '         app: web',
      '     spec:',
      '       containers:',
      '-        - image: good:1',
      '+        - image: good:2',
      '           name: web',
    ].join('\n'),
  )
})

t.test('a changed Secret shows that it changed and nothing of its value', async t => {
  const from = secret({ password: coded('hunter2'), user: coded('ana') })
  const to = secret({ password: coded('hunter3'), user: coded('ana') })
  const [diff] = diffObjects([from], [to], 'key')

  t.equal(diff?.change, 'changed')
  t.equal(diff?.patch.length, 1)
  for (const value of ['hunter2', 'hunter3', coded('hunter2'), coded('hunter3'), 'ana', coded('ana')])
    t.notMatch(JSON.stringify(diff), value)
})

t.test('stringData and data of the same value are the same; the key decides the hash; kubectl keeps no copy', async t => {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"a":"dmFsdWU="}}' }
  const plain: Manifest = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'shop' },
    stringData: { a: 'value' },
  }
  t.strictSame(diffObjects([plain], [secret({ a: coded('value') })], 'key'), [])
  t.notSame(maskSecret(plain, 'key').data, maskSecret(plain, 'other').data)
  const masked = maskSecret(secret({ a: coded('value') }, { metadata: { name: 's', annotations } }), 'key')
  t.notMatch(JSON.stringify(masked), 'dmFsdWU=')
})
