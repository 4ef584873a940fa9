// Taking over: what a render would mint, found in the objects that are there. Live objects in, values out, whatever the place is.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import t from 'tap'
import { seedsFrom } from '../../controller/sticky/seed.js'
import type { Sticky } from '../../controller/sticky.js'
import { pure, render } from '../../renderer/index.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { filesOf, options } from '../support/render.js'
import { stickyEntry } from './builders.js'

const encoded = (data: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
const secret = (data: Readonly<Record<string, string>>, name = 'db'): Manifest => ({
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'shop' } },
  data: encoded(data),
})
const plain = (stringData: Readonly<Record<string, string>>): Manifest => {
  const { data: _data, ...rest } = secret({})
  return { ...rest, stringData }
}
const map = (data: Readonly<Record<string, string>>): Manifest => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop' } },
  data,
})
const minted = 'mintedmintedminted'
const number = stickyEntry('', { value: '{"int":"4021"}', name: 'randInt' })

/** What is there; the texts that are taken over. */
function taken(rendered: Manifest[], live: Manifest[], entry = stickyEntry(minted)): unknown {
  const found = seedsFrom({ minted: { key: entry }, rendered, live, known: {} })
  return found.key === undefined ? null : JSON.parse(found.key.value)
}

t.test('a text is taken from where it would be put', async t => {
  const table: readonly (readonly [string, Manifest, Manifest, unknown])[] = [
    ['a Secret', secret({ pw: minted }), secret({ pw: 'of old' }), 'of old'],
    ['whatever its length', secret({ pw: minted }), secret({ pw: 'x' }), 'x'],
    ['written as stringData here', plain({ pw: minted }), secret({ pw: 'of old' }), 'of old'],
    ['written as stringData there', secret({ pw: minted }), plain({ pw: 'of old' }), 'of old'],
    ['a ConfigMap', map({ id: minted }), map({ id: 'of old' }), 'of old'],
    ['inside a longer text', secret({ url: `pg://shop:${minted}@db` }), secret({ url: 'pg://shop:of old@db' }), 'of old'],
    ['alone before inside', secret({ a: `x${minted}`, pw: minted }), secret({ a: 'xother', pw: 'of old' }), 'of old'],
    ['another text around it', secret({ url: `pg://shop:${minted}@db` }), secret({ url: 'my://shop:of old@db' }), null],
    ['nothing around but the same words', secret({ url: `pg://${minted}@db` }), secret({ url: 'pg://@db' }), null],
    ['empty', secret({ pw: minted }), secret({ pw: '' }), null],
    ['another key', secret({ pw: minted }), secret({ password: 'of old' }), null],
    ['another object', secret({ pw: minted }), secret({ pw: 'of old' }, 'other'), null],
    ['nowhere in what is rendered', secret({ pw: 'given' }), secret({ pw: 'of old' }), null],
  ]

  for (const [what, rendered, live, text] of table) t.same(taken([rendered], [live]), text, what)
})

t.test('a short text, or a number, is no part of a longer one', async t => {
  const short = stickyEntry('ab')
  t.same(taken([secret({ pw: 'ab' })], [secret({ pw: 'cd' })], short), 'cd')
  t.same(taken([secret({ pw: 'crab' })], [secret({ pw: 'crcd' })], short), null)
  t.same(taken([map({ port: '4021' })], [map({ port: '5000' })], number), { int: '5000' })
  t.same(taken([map({ port: '4021' })], [map({ port: 'http' })], number), null)
})

t.test('what was taken over says so, and nothing else of it differs', async t => {
  const entry = stickyEntry(minted)
  const found = seedsFrom({
    minted: { key: entry },
    rendered: [secret({ pw: minted })],
    live: [secret({ pw: 'of old' })],
    known: {},
  })

  t.same(found, { key: { ...entry, value: '"of old"', from: 'live' } })
})

/** By the chart functions: an authority, and a certificate that it signed. */
function issued(): Readonly<Record<'caCert' | 'caKey' | 'cert' | 'key', string>> {
  const text = `{{ $ca := genCA "ca" 30 }}{{ $web := genSignedCert "web" nil nil 30 $ca }}
apiVersion: v1
kind: ConfigMap
metadata: { name: made }
data: {{ dict "caCert" $ca.Cert "caKey" $ca.Key "cert" $web.Cert "key" $web.Key | toJson }}
`
  const files = filesOf({ 'Chart.yaml': 'apiVersion: v2\nname: c\nversion: 1.0.0\n', 'templates/a.yaml': text })
  const { objects } = render(files, options, pure({ random: count => randomBytes(count), now: Date.now() }))
  return objects?.[0]?.manifest.data as ReturnType<typeof issued>
}

t.test('a certificate is taken over with its key, and only where it is believed', async t => {
  const [old, fresh] = [issued(), issued()]
  const pair = (cert: string, key: string) => stickyEntry('', { value: JSON.stringify({ cert, key }), name: 'genCA' })
  const rendered = [secret({ 'ca.crt': fresh.caCert, 'ca.key': fresh.caKey, 'tls.crt': fresh.cert, 'tls.key': fresh.key })]
  const entries = { ca: pair(fresh.caCert, fresh.caKey), web: pair(fresh.cert, fresh.key) }
  const there = { 'ca.crt': old.caCert, 'ca.key': old.caKey, 'tls.crt': old.cert, 'tls.key': old.key }
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const stranger = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const found = (live: Readonly<Record<string, string>>, known: Sticky = {}) =>
    Object.keys(seedsFrom({ minted: entries, rendered, live: [secret(live)], known })).sort()
  const { 'ca.key': _key, ...withoutKey } = there

  t.same(found(there), ['ca'], 'at first only what signed itself')
  t.same(found(there, { ca: pair(old.caCert, old.caKey) }), ['ca', 'web'], 'then what that one signed')
  t.same(found(withoutKey), [], 'an authority without its key signs nothing more')
  t.same(found({ ...there, 'ca.key': stranger }), [], 'the key is of another')
  t.same(found({ ...there, 'ca.crt': 'no certificate' }), [])
  t.same(found(there, { ca: pair(fresh.caCert, fresh.caKey) }), ['ca'], 'signed by another than the one that is known')
})
