// What an application keeps from one render to the next, whatever changes around it.
import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import { type Kept, type Rendered, render, StickyBook, type Touched } from '../../renderer/index.js'
import { filesOf, options, type Tree } from '../support/render.js'

const head = { 'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n' }
const probe = (data: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: probe}\ndata:\n${data}`
const nothing: Kept = { salt: 'of shop', values: {}, answers: {} }

interface Made {
  readonly data: Readonly<Record<string, string>>
  readonly kept: Kept
  readonly touched: Touched
  readonly error: Rendered['error']
}

/** Renders and keeps what was minted. */
function made(files: Tree, kept: Kept = nothing, values: Record<string, unknown> = {}, secrets = 600, now = 0): Made {
  const book = new StickyBook(kept, { random: count => randomBytes(count), now })
  const result = render(filesOf({ ...head, ...files }), { ...options, values, limits: { secrets } }, book)
  const touched = book.touched()
  const minted = Object.entries(touched.minted).map(([key, { value }]) => [key, value] as const)
  const data = Object.assign({}, ...(result.objects ?? []).map(({ manifest }) => manifest.data as object)) as Made['data']
  return { data, touched, error: result.error, kept: { ...kept, values: { ...kept.values, ...Object.fromEntries(minted) } } }
}

const everything = `  a: {{ randAlphaNum 12 }}
  b: {{ randAscii 12 | b64enc }}
  c: {{ randInt 0 1000000 | quote }}
  d: {{ uuidv4 }}
  e: {{ shuffle "abcdefghijklmnop" }}
  f: {{ randBytes 12 }}
  g: {{ now | date "20060102150405" | quote }}
  h: {{ htmlDate "" | quote }}
  i: {{ bcrypt "pw" | quote }}
  j: {{ htpasswd "ann" "pw" | quote }}
  k: {{ encryptAES "pw" "text" }}
  l: {{ genPrivateKey "ed25519" | quote }}
  {{- $ca := genCA "ca" 30 }}
  {{- $own := genSelfSignedCert "own" nil nil 30 }}
  {{- $web := genSignedCert "web" nil (list "web") 30 $ca }}
  {{- $key := genPrivateKey "ecdsa" }}
  {{- $given := genSignedCertWithKey "given" nil nil 30 $ca $key }}
  m: {{ print $ca.Cert $ca.Key $own.Cert $own.Key | sha256sum }}
  n: {{ print $web.Cert $web.Key $given.Cert | sha256sum }}
  o: {{ derivePassword 1 "long" "pw" "ann" "example.com" | quote }}
  p: {{ (genCAWithKey "ca2" 30 $key).Cert | sha256sum }}
  q: {{ ago (now) }}
`

t.test('what random functions gave is given again, and mints nothing', async t => {
  const files = { 'templates/a.yaml': probe(everything) }
  const first = made(files)
  // derivePassword makes nothing that is kept, and costs 2 each time.
  const again = made(files, first.kept, {}, 2, 86_400_000)
  const other = made(files, nothing, {}, 600, 86_400_000)

  t.equal(first.error, undefined)
  t.strictSame(again.data, first.data)
  t.strictSame(again.touched.minted, {})
  t.strictSame([...again.touched.used].sort(), Object.keys(first.kept.values).sort())
  for (const key of Object.keys(first.data))
    if (key !== 'o' && key !== 'q') t.not(other.data[key], first.data[key], `${key} is another one's own`)
  t.equal(made(files, nothing, {}, 3).error?.reason, 'LimitExceeded', 'keys cost where none are kept')
})

t.test('what was kept for a call is found again when something changes around it', async t => {
  const user = '{{ randAlphaNum 12 }}'
  const list = '{{- range .Values.users }}\n  {{ .name }}: {{ randAlphaNum 12 }}\n{{- end }}\n'
  const words = '{{- range .Values.words }}\n  {{ . }}: {{ include "pw" $ }}\n{{- end }}\n'
  const map = '{{- range $name, $size := .Values.sizes }}\n  {{ $name }}: {{ randAlphaNum 12 }}\n{{- end }}\n'
  const define = '{{ define "pw" }}{{ randAlphaNum 12 }}{{ end }}'
  const values = { users: [{ name: 'ann' }, { name: 'bob', admin: true }], words: ['x', 'y'], sizes: { m: 1, n: 2 } }
  const table: readonly (readonly [string, string, string, Record<string, unknown>])[] = [
    ['an unrelated line', `  a: ${user}\n`, `  z: "1"\n  a: ${user}\n`, {}],
    ['another value of the same words before it', `  a: ${user}\n`, `  b: ${user}\n  a: ${user}\n`, {}],
    ['the value is piped on', `  a: ${user}\n`, '  a: {{ randAlphaNum 12 | trim }}\n', {}],
    [
      'a variable of the same words before it',
      `{{ $x := randAlphaNum 9 }}  a: {{ $x }}\n`,
      `{{ $w := randAlphaNum 9 }}{{ $x := randAlphaNum 9 }}  a: {{ $x }}\n`,
      {},
    ],
    ['a condition around it', `  a: ${user}\n`, `{{ if true }}\n  a: ${user}\n{{ end }}`, {}],
    ['a list gains an item in front', list, list, { users: [{ name: 'amy' }, ...values.users] }],
    ['a list loses an item, and others change', list, list, { users: [{ name: 'bob', admin: false }] }],
    ['a list of words is turned round', words, words, { words: ['z', 'y', 'x'] }],
    ['a map gains a key', map, map, { sizes: { a: 0, m: 9, n: 2 } }],
  ]
  for (const [what, before, after, more] of table) {
    const tree = (text: string): Tree => ({ 'templates/_pw.tpl': define, 'templates/a.yaml': probe(text) })
    const first = made(tree(before), nothing, values)
    const second = made(tree(after), first.kept, { ...values, ...more })
    const both = Object.keys(first.data).filter(key => key in second.data)

    t.ok(both.length > 0, what)
    t.strictSame(
      both.map(key => second.data[key]),
      both.map(key => first.data[key]),
      what,
    )
    t.equal(new Set(Object.values(second.data)).size, Object.keys(second.data).length, `${what}: each has its own`)
  }
})

t.test('a file that is included whole gives what it gives by itself, so that a checksum of it is one', async t => {
  const map = (name: string, data: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n${data}`
  const files = {
    'templates/a.yaml': map(
      'a',
      '{{ range list 1 2 }}  s{{ . }}: {{ include (print $.Template.BasePath "/secret.yaml") $ | sha256sum }}\n{{ end }}',
    ),
    'templates/secret.yaml': map('secret', '  p: {{ include "pw" . }}\n'),
    'templates/t.yaml': map('t', '  t1: {{ tpl "{{ randAlphaNum 12 }}" . }}\n  t2: {{ tpl "{{ randAlphaNum 12 }}" . }}\n'),
    'templates/_pw.tpl': '{{ define "pw" }}{{ randAlphaNum 12 }}{{ end }}',
  }
  const { data, touched } = made(files)
  const file = map('secret', `  p: ${data.p}\n`)

  t.equal(data.s1, createHash('sha256').update(file).digest('hex'))
  t.equal(data.s2, data.s1)
  t.not(data.t1, data.t2)
  t.equal(touched.used.length, 3)
})

t.test('another call, and other arguments, get their own', async t => {
  const first = made({ 'templates/a.yaml': probe('  a: {{ bcrypt "one" }}\n') })

  t.not(made({ 'templates/a.yaml': probe('  a: {{ bcrypt "two" }}\n') }, first.kept).data.a, first.data.a)
  t.not(made({ 'templates/a.yaml': probe('  b: {{ bcrypt "one" }}\n') }, first.kept).data.b, first.data.a)
  t.equal(
    Object.keys(
      made({ 'templates/a.yaml': probe('  a: {{ bcrypt "one" }}\n') }, { ...nothing, salt: 'of another' }).kept.values,
    )[0] === Object.keys(first.kept.values)[0],
    false,
    'keys of two applications say nothing of equal arguments',
  )
})

t.test('a template or chart of another name: the key is another, and its loose form tells that it was renamed', async t => {
  const before = made({ 'templates/a.yaml': probe('  a: {{ randAlphaNum 12 }}\n') })
  const renamed = made({ 'templates/b.yaml': probe('  a: {{ randAlphaNum 12 }}\n') }, before.kept)
  const chart = made(
    { 'Chart.yaml': 'apiVersion: v2\nname: store\nversion: 1.0.0\n', 'templates/a.yaml': probe('  a: {{ randAlphaNum 12 }}\n') },
    before.kept,
  )
  const [old] = Object.values(before.touched.minted)
  const [minted] = Object.values(renamed.touched.minted)

  t.equal(chart.data.a, before.data.a)
  t.not(renamed.data.a, before.data.a)
  t.equal(minted?.loose, old?.loose)
  t.same([minted?.name, minted?.file, minted?.label], ['randAlphaNum', 'templates/b.yaml', 'a'])
})

t.test('lookup says what it was asked, and answers as Helm does', async t => {
  const text = probe(
    [
      '{{- $one := lookup "v1" "Secret" "shop" "db" }}',
      '{{- $all := lookup "v1" "Secret" "shop" "" }}',
      '  found: {{ if $one }}{{ $one.data.pw }}{{ else }}none{{ end }}',
      '  type: {{ typeOf $one.size }}',
      '  all: "{{ $all.kind }}{{ range $all.items }} {{ .metadata.name }}{{ end }}"\n',
    ].join('\n'),
  )
  const one = '["v1","Secret","shop","db"]'
  const all = '["v1","Secret","shop",""]'
  const db = { metadata: { name: 'db' }, data: { pw: 'c2VzYW1l' }, size: 3 }
  const unknown = made({ 'templates/a.yaml': text })
  const known = made({ 'templates/a.yaml': text }, { ...nothing, answers: { [one]: db, [all]: [db, db] } })
  const empty = made({ 'templates/a.yaml': text }, { ...nothing, answers: { [one]: null, [all]: [] } })

  t.strictSame(unknown.touched.asked, [one, all])
  t.strictSame(unknown.data, { found: 'none', type: '<nil>', all: '' })
  t.strictSame(known.data, { found: 'c2VzYW1l', type: 'int64', all: 'SecretList db db' })
  t.strictSame(empty.data, { found: 'none', type: '<nil>', all: 'SecretList' })
  t.match(
    made({ 'templates/a.yaml': probe('{{ range until 501 }}{{ lookup "v1" "Secret" "x" (toString .) }}{{ end }}') }).error
      ?.message,
    /lookup: more than 500 questions/,
  )
})

t.test('an error tells nothing of what was minted', async t => {
  const book = new StickyBook(nothing, { random: count => new Uint8Array(count), now: 0 })
  const text = probe('  a: {{ $pw := randAlphaNum 12 }}{{ fail (printf "not %s nor %s" $pw (b64enc $pw)) }}')
  const { error } = render(filesOf({ ...head, 'templates/a.yaml': text }), options, book)

  t.match(error?.message, /not 000000000000 nor/)
  t.match(book.masked(error?.message ?? ''), /not \(secret\) nor \(secret\)/)
})
