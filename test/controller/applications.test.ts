import { test } from 'tap'
import { Applications } from '../../controller/applications.js'
import { openStore } from '../../controller/store/store.js'
import { startField } from '../support/controller.js'

const manifest = (name: string) => ({
  apiVersion: 'slipway.dev/v1alpha1',
  kind: 'Application',
  metadata: { name },
  spec: { source: { repoURL: 'http://git.example/shop.git', path: 'shop' }, destination: { name: 'n1', namespace: 'shop' } },
})

test('whoever declares an application among its manifests has it, though a person declared the same before', async t => {
  const field = await startField(t)
  const store = openStore({ bus: field.bus, key: field.controller.storage, epoch: () => 10, now: Date.now })
  await store.load()
  const applications = new Applications({
    store,
    now: Date.now,
    randomHex: bytes => 'ab'.repeat(bytes),
    declared: { defaultNode: 'n1', readYaml: () => ({}) },
  })
  const ana = { kind: 'user', name: 'ana' } as const
  const git = { kind: 'git', name: 'parent' } as const
  for (const parent of ['parent', 'other']) await applications.declare(manifest(parent), ana, null, false)
  await applications.declare(manifest('child'), ana, null, false)

  const taken = await applications.declare(manifest('child'), git, 'parent', false)
  const again = await applications.declare(manifest('child'), git, 'parent', false)

  t.equal(taken.result, 'changed')
  t.equal(again.result, 'unchanged')
  t.equal(applications.get('child')?.app.parent, 'parent')
  t.equal(store.application('child')?.parent, 'parent')
  await t.rejects(applications.declare(manifest('child'), git, 'other', false), {
    message: /application child is declared by parent; other may not declare it too/,
  })
  t.equal((await applications.declare(manifest('child'), ana, null, false)).result, 'unchanged', 'a person may apply it again')
  t.equal(applications.get('child')?.app.parent, 'parent')
})
