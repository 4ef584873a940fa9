// Inline values of an Application that reach only its Secrets.
import t from 'tap'
import { hidden, stillHides, withoutSecrets, withSecretsOf } from '../../controller/inline.js'

const spec = {
  source: {
    repoURL: 'https://example.com/x.git',
    helm: {
      releaseName: 'shop',
      parameters: [
        { name: 'password', value: 'hunter22' },
        { name: 'greeting', value: 'welcome' },
      ],
      valuesObject: { database: { password: 'swordfish', host: 'db-main' }, both: 'everywhere' },
      values: 'token: opensesame\nimage: web:1\n',
    },
  },
}
const objects = [
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shop' },
    data: { PASSWORD: Buffer.from('hunter22').toString('base64') },
    stringData: { URL: 'postgres://shop:swordfish@db-main/shop', TOKEN: 'opensesame', BOTH: 'everywhere' },
  },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'shop' },
    data: { A: 'welcome', B: 'everywhere', C: 'db-main', I: 'web:1' },
  },
]

t.test('a value that stands in Secrets only is not shown, whole or as a part of one; all else is', async t => {
  t.same(withoutSecrets(spec, objects), {
    source: {
      repoURL: 'https://example.com/x.git',
      helm: {
        releaseName: 'shop',
        parameters: [
          { name: 'password', value: hidden },
          { name: 'greeting', value: 'welcome' },
        ],
        valuesObject: { database: { password: hidden, host: 'db-main' }, both: 'everywhere' },
        values: `token: ${hidden}\nimage: web:1\n`,
      },
    },
  })
})

t.test('before anything was rendered no inline value is shown', async t => {
  const shown = JSON.stringify(withoutSecrets(spec, null))

  for (const value of ['hunter22', 'swordfish', 'opensesame', 'welcome']) t.notMatch(shown, value)
  t.match(shown, 'releaseName')
})

t.test('what was shown and comes back is what it was; what was changed is as asked', async t => {
  const shown = withoutSecrets(spec, objects)
  const changed = JSON.parse(JSON.stringify(shown).replace('welcome', 'bom dia'))

  t.same(withSecretsOf(shown, spec, shown), spec)
  t.same(withSecretsOf(changed, spec, shown), JSON.parse(JSON.stringify(spec).replace('welcome', 'bom dia')))
  t.equal(stillHides(withSecretsOf(changed, spec, shown)), false)
})

t.test('something hidden that nothing is known for is noticed', async t => {
  t.equal(stillHides(withoutSecrets(spec, objects)), true)
  t.equal(stillHides(spec), false)
  t.equal(stillHides({ source: { repoURL: 'x' } }), false)
})
