import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { pushOf } from '../../controller/api/pushes.js'
import { runApi } from '../support/api.js'
import { noon, view } from '../support/service.js'

const secret = "It's a Secret to Everybody"
const every = {
  github: secret,
  gitlab: secret,
  gitea: secret,
  forgejo: secret,
  gogs: secret,
  bitbucket: secret,
  azure: 'hook:pass',
  generic: secret,
}

const opened = async (test: Test, webhookSecrets: Readonly<Record<string, string>> = every) => {
  const api = await runApi([view('shop')], { webhookSecrets })
  test.teardown(() => api.close())
  const hook = (body: string | Uint8Array, headers: Record<string, string>) =>
    api.fetch('/api/webhook', {
      method: 'POST',
      as: null,
      body: body as string,
      headers: { 'content-type': 'application/json', ...headers },
    })
  return { ...api, hook }
}

const hex = (body: string) => createHmac('sha256', secret).update(body).digest('hex')
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`
const standard = (body: string, at = noon) => {
  const timestamp = String(Math.floor(at / 1000))
  const signature = createHmac('sha256', secret).update(`msg_1.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': 'msg_1', 'webhook-timestamp': timestamp, 'webhook-signature': `v1,AAAA v1,${signature}` }
}

const url = 'https://git.test/ana/shop.git'
const body = JSON.stringify({ ref: 'refs/heads/main', repository: { clone_url: url } })

const providers: Readonly<
  Record<
    string,
    { readonly body: string; readonly signed: (body: string) => Record<string, string>; readonly forged: Record<string, string> }
  >
> = {
  github: {
    body,
    signed: text => ({ 'x-hub-signature-256': `sha256=${hex(text)}` }),
    forged: { 'x-hub-signature-256': `sha256=${hex('other')}` },
  },
  gitlab: {
    body: JSON.stringify({ ref: 'refs/heads/main', project: { git_http_url: url } }),
    signed: text => standard(text),
    forged: standard('other'),
  },
  'gitlab, the old token': { body, signed: () => ({ 'x-gitlab-token': secret }), forged: { 'x-gitlab-token': `${secret}x` } },
  gitea: { body, signed: text => ({ 'x-gitea-signature': hex(text) }), forged: { 'x-gitea-signature': hex('other') } },
  forgejo: { body, signed: text => ({ 'x-forgejo-signature': hex(text) }), forged: { 'x-forgejo-signature': '' + hex('other') } },
  gogs: { body, signed: text => ({ 'x-gogs-signature': hex(text) }), forged: { 'x-gogs-signature': hex('other') } },
  bitbucket: {
    body: JSON.stringify({ push: { changes: [{ new: { name: 'main' } }] }, repository: { links: { html: { href: url } } } }),
    signed: text => ({ 'x-hub-signature': `sha256=${hex(text)}` }),
    forged: { 'x-hub-signature': 'sha256=' },
  },
  azure: {
    body: JSON.stringify({ resource: { repository: { remoteUrl: url }, refUpdates: [{ name: 'refs/heads/main' }] } }),
    signed: () => ({ authorization: basic('hook:pass') }),
    forged: { authorization: basic('hook:word') },
  },
  generic: {
    body: JSON.stringify({ repoURL: url, ref: 'main' }),
    signed: text => ({ 'x-signature': `sha256=${hex(text)}` }),
    forged: { 'x-signature': hex(body) },
  },
}

for (const [name, provider] of Object.entries(providers)) {
  t.test(`${name}: the right signature wakes, a wrong one does not, nor the right one over other bytes`, async test => {
    const api = await opened(test)

    const woken = await api.hook(provider.body, provider.signed(provider.body))
    test.equal(woken.status, 202)
    test.equal(api.told.woken.length, 1)
    test.equal(api.told.woken[0]?.repoURL, url)
    test.match(api.told.woken[0]?.ref, /main$/)

    test.match(await (await api.hook(provider.body, provider.forged)).json(), { status: 401, code: 'wrongSignature' })
    if (!/azure|old/.test(name))
      test.equal((await api.hook(`${provider.body} `, provider.signed(provider.body))).status, 401, 'other bytes')
    test.equal(api.told.woken.length, 1, 'nothing else woke')
  })
}

t.test('a signature of a provider without a secret here is none, however right', async test => {
  const api = await opened(test, { github: secret, generic: '' })
  for (const signed of [
    { 'x-gitea-signature': hex(body) },
    { 'x-signature': `sha256=${hex(body)}` },
    { 'x-gitlab-token': secret },
    { 'x-hub-signature': `sha1=${hex(body)}` },
    {} as Record<string, string>,
  ]) {
    test.match(await (await api.hook(body, signed as Record<string, string>)).json(), { status: 401, code: 'unsigned' })
  }
  test.equal(api.told.woken.length, 0)
})

t.test('a GitLab signature holds five minutes', async test => {
  const api = await opened(test)
  test.equal((await api.hook(body, standard(body, noon - 299_000))).status, 202)
  test.equal((await api.hook(body, standard(body, noon - 301_000))).status, 401)
  test.equal((await api.hook(body, { ...standard(body), 'webhook-timestamp': 'x' })).status, 401)
})

t.test('an unsigned one is refused before its body is read', async test => {
  const api = await opened(test, {})
  const { port } = new URL(api.url)
  const socket = connect(Number(port), '127.0.0.1')
  test.teardown(() => socket.destroy())
  socket.write('POST /api/webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{"half')
  const answer = await new Promise<string>(resolve => socket.once('data', data => resolve(data.toString())))
  test.match(answer, /^HTTP\/1\.1 401/)
})

t.test('known and unknown repositories, other events and strange shapes are answered alike', async test => {
  const api = await opened(test)
  const shapes: readonly unknown[] = [
    JSON.parse(body),
    { repository: { clone_url: 'https://git.test/none.git' } },
    null,
    [],
    0,
    'text',
    {},
    { repository: null },
    { repository: [] },
    { repository: { clone_url: [] } },
    { repository: { links: { clone: {} } } },
    { ref: {}, push: { changes: null } },
    { push: { changes: [null, 1, {}] }, repository: { links: { clone: [null, { href: 7 }] } } },
    { resource: { refUpdates: 'x' } },
  ]
  const answers = new Set<string>()
  for (const shape of shapes) {
    const text = JSON.stringify(shape)
    const answer = await api.hook(text, { 'x-signature': `sha256=${hex(text)}` })
    answers.add(`${answer.status} ${await answer.text()}`)
  }
  test.same([...answers], ['202 {"version":"v1","message":"Heard."}'])
})

t.test('cut, binary and oversized bodies end as 4xx, and the API goes on', async test => {
  const api = await opened(test)
  const signed = (text: string) => ({ 'x-signature': `sha256=${hex(text)}` })
  const cut = body.slice(0, -9)

  test.match(await (await api.hook(cut, signed(cut))).json(), { status: 400, code: 'invalidJson' })
  test.equal((await api.hook('', signed(''))).status, 400)
  test.equal((await api.hook(Buffer.from([0xff, 0, 0xfe]), { 'x-signature': 'sha256=00' })).status, 401)
  const large = 'x'.repeat((1 << 20) + 1)
  test.equal((await api.hook(large, signed(large))).status, 413)
  const form = `payload=${encodeURIComponent(body)}`
  test.equal(
    (await api.hook(form, { 'content-type': 'application/x-www-form-urlencoded', 'x-hub-signature-256': `sha256=${hex(form)}` }))
      .status,
    202,
    "GitHub's form",
  )
  test.equal((await api.fetch('/livez', { as: null })).status, 200)
})

t.test('a flood from one address is held back', async test => {
  const api = await opened(test)
  const statuses = await Promise.all(
    Array.from({ length: 250 }, () => api.hook('{}', { 'x-signature': 'sha256=00' }).then(answer => answer.status)),
  )
  test.equal(statuses.filter(status => status === 401).length, 200)
  test.equal(statuses.filter(status => status === 429).length, 50)
})

t.test("addresses are read from every provider's shape, the ref only where it is one", async test => {
  const cases: readonly (readonly [unknown, readonly string[], string | null])[] = [
    [{ repository: { clone_url: 'a', ssh_url: 'b', html_url: 'c' }, ref: 'r' }, ['a', 'c', 'b'], 'r'],
    [
      { repository: { links: { clone: [{ href: 'a' }, { href: 'b' }] } }, changes: [{ ref: { id: 'x' } }, { ref: { id: 'y' } }] },
      ['a', 'b'],
      null,
    ],
    [{ project: { git_http_url: 'a', git_ssh_url: 'b' }, repository: { git_http_url: 'a' } }, ['a', 'b'], null],
    [{ repository: 'https://x' }, ['https://x'], null],
    [Object.create({ repoURL: 'inherited' }), [], null],
  ]
  for (const [given, repoURLs, ref] of cases) test.same(pushOf(given), { repoURLs, ref })
})
