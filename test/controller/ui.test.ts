import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { build } from 'vite'
import type { ApplicationView } from '../../controller/view.js'
import { type RunningApi, runApi } from '../support/api.js'
import { chromiumPath, openBrowser } from '../support/browser.js'
import { until } from '../support/controller.js'
import { ago, attempt, event, node, object, release, rolledBack, view } from '../support/service.js'

/** Upwards from the compiled test to where the page's sources lie. */
const root =
  [1, 2, 3, 4]
    .map(up => join(import.meta.dirname, ...Array(up).fill('..')))
    .find(dir => existsSync(join(dir, 'controller/ui/vite.config.mjs'))) ?? ''
const chromium = chromiumPath()
if (chromium === null) {
  t.fail('no Chromium: install one (apt install chromium) or name it in CHROMIUM')
  process.exit(1)
}

t.setTimeout(180_000)
const uiDir = join(t.testdir({}), 'ui')
await build({ configFile: join(root, 'controller/ui/vite.config.mjs'), logLevel: 'error', build: { outDir: uiDir } })
const browser: Browser = await openBrowser(chromium)
t.teardown(() => browser.close())

interface Seen {
  readonly api: RunningApi
  readonly page: Page
  /** Whatever the browser complained of, and requests that left our own address. */
  readonly complaints: string[]
}

async function opened(
  test: Test,
  views: readonly ApplicationView[],
  over: { colorScheme?: 'light' | 'dark'; path?: string } = {},
): Promise<Seen> {
  const api = await runApi(views, { uiDir })
  const context = await browser.newContext({ colorScheme: over.colorScheme ?? 'light', viewport: { width: 1200, height: 800 } })
  test.teardown(async () => {
    await context.close()
    await api.close()
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', error => complaints.push(String(error)))
  page.on(
    'request',
    request => !request.url().startsWith(api.url) && !request.url().startsWith('data:') && complaints.push(request.url()),
  )
  const { url } = (await (await api.fetch('/api/v1/login-links', { method: 'POST' })).json()) as { url: string }
  await page.goto(url)
  if (over.path !== undefined) await page.goto(`${api.url}/${over.path}`)
  return { api, page, complaints }
}

const rows = (page: Page) => page.locator('.row .name').allTextContents()

t.test('the page is small, and asks no one but the controller', async test => {
  const { page, complaints } = await opened(test, [view('shop')])
  await page.waitForSelector('.row')

  const bytes = readdirSync(join(uiDir, 'assets')).reduce(
    (sum, file) => sum + gzipSync(readFileSync(join(uiDir, 'assets', file))).length,
    0,
  )
  test.ok(bytes < 300_000, `${bytes} bytes gzipped`)
  test.same(complaints, [])
})

t.test('what needs a person comes first, and the header counts and filters', async test => {
  const { page } = await opened(test, [
    view('gateway'),
    rolledBack('shop'),
    view('batch', { state: 'Held' }),
    view('api', { state: 'Releasing' }),
  ])
  await page.waitForSelector('.row')

  test.same(await rows(page), ['shop', 'batch', 'api', 'gateway'])
  test.match(await page.locator('.row').first().textContent(), /▲.*Rolled back: 4f2a91c is bad: web exited 1 three times/)
  await page.locator('.count', { hasText: 'Held' }).click()
  test.same(await rows(page), ['batch'])
  await page.locator('.count', { hasText: 'Held' }).click()
  await page.keyboard.press('/')
  await page.keyboard.type('gate')
  test.same(await rows(page), ['gateway'])
})

t.test('a change is seen without a reload', async test => {
  const { api, page } = await opened(test, [view('shop')], { path: '#/apps/shop/why' })
  await page.waitForSelector('.detail .mark:has-text("Healthy")')

  api.told.tell({ type: 'application', view: rolledBack('shop') })

  await page.waitForSelector('.detail .mark:has-text("Rolled back")')
  test.match(await page.locator('.sentence').textContent(), /was judged bad after 6 s/)
  api.told.tell({ type: 'removed', name: 'shop' })
  await page.waitForSelector('text=There is no application shop any more')
})

t.test('why shows the evidence, the likely cause, and the lines to copy', async test => {
  const { page } = await opened(test, [rolledBack('shop')], { path: '#/apps/shop/why' })
  await page.waitForSelector('.why')

  const text = (await page.locator('.why').textContent()) ?? ''
  for (const part of [
    'Deployment shop/web: container web exited 1 three times',
    'getaddrinfo ENOTFOUND cache',
    'Likely: no Service "cache"',
    'slipway retry shop',
  ])
    test.ok(text.includes(part), part)
})

t.test('how long ago something was goes on being counted', async test => {
  const { page, api } = await opened(test, [view('shop')], { path: '#/apps/shop' })
  api.told.events = [event('shop', 'rolled-back', { message: 'hauled back', at: ago(5) })]
  api.told.history = [attempt()]
  for (const [tab, where] of [
    ['events', '.events time'],
    ['history', '.panel'],
  ] as const) {
    await page.getByRole('tab', { name: tab }).click()
    await page.waitForSelector(where)
    const text = () => page.locator(where).first().innerText()
    const before = await until('an age', async () => (/ s ago/.test(await text()) ? text() : null))
    await until(`another age in ${tab}`, async () => (await text()) !== before)
    test.match(await text(), / s ago/, tab)
  }
})

t.test('an age in a sentence of the list is asked for again', async test => {
  const said = (seconds: number) => view('shop', { state: 'OutOfSync', short: `held back: judged bad ${seconds} s ago` })
  const { page, api } = await opened(test, [said(12)])
  await page.getByText('judged bad 12 s ago').waitFor()

  api.told.views.set('shop', said(24))

  await page.getByText('judged bad 24 s ago').waitFor({ timeout: 60_000 })
  test.equal(await page.locator('.row').count(), 1)
})

t.test('lines of several pods stand in the order in which they were said', async test => {
  const { page, api } = await opened(test, [view('shop')])
  const line = (pod: string, seconds: string, text: string) => ({
    at: `2026-03-01T12:00:${seconds}Z`,
    pod,
    container: 'web',
    text,
  })
  api.told.logs = [line('a', '00', 'one'), line('a', '00.5', 'three'), line('b', '00.123', 'two'), line('b', '01', 'four')]
  await page.goto(`${api.url}/#/apps/shop/logs`)

  await page.getByText('four').waitFor()
  const text = await page.locator('.log').innerText()
  test.same(text.match(/one|two|three|four/g), ['one', 'two', 'three', 'four'])
})

t.test('objects, diff, history, logs and events each show theirs', async test => {
  const { api, page, complaints } = await opened(test, [rolledBack('shop')])
  api.told.tree = [
    object(
      {},
      { children: [object({ kind: 'Pod', name: 'web-1' }, { health: { status: 'Degraded', message: 'back-off 4 s' } })] },
    ),
  ]
  api.told.diff = {
    from: '',
    to: '',
    objects: [{ ref: object().ref, change: 'changed', patch: [], text: '-image: a\n+image: b\n' }],
  }
  api.told.history = [rolledBack('shop').attempt!, attempt()]
  api.told.logs = [{ at: ago(1), pod: 'web-1', container: 'web', text: 'hello \u001b[31mred\u001b[0m' }]
  api.told.events = [event('shop', 'rolled-back', { message: 'hauled back' })]
  const shows = async (tab: string, ...parts: readonly string[]) => {
    await page.goto(`${api.url}/#/apps/shop/${tab}`)
    for (const part of parts) await page.locator('.panel', { hasText: part }).waitFor()
  }

  await shows('objects', 'web-1', 'back-off 4 s')
  await shows('diff', '-image: a', '+image: b')
  await shows('history', 'judged bad after 6 s', 'healthy after 4 s')
  await shows('logs', 'web-1/web hello red')
  await shows('events', 'hauled back')
  api.told.tell({ type: 'event', event: event('shop', 'seen', { id: 'fresh', message: 'a new commit' }) })
  await page.locator('.panel', { hasText: 'a new commit' }).waitFor()
  test.same(complaints, [])
})

t.test('an act shows its line for terminal and curl, and is done once, by whoever is signed in', async test => {
  const { api, page } = await opened(test, [rolledBack('shop')], { path: '#/apps/shop/why' })
  api.told.history = [attempt({ number: 29, release: release(29, 'aa11bb2') })]
  await page.getByRole('button', { name: 'Roll back', exact: true }).click()
  await page.locator('.act select').selectOption('r29')
  await page.locator('.act input').fill("it's slow")

  const lines = await page.locator('.act .copyline code').allTextContents()
  await page.getByRole('button', { name: 'Roll back shop' }).click()
  await page.waitForSelector('text=Roll back: asked for.')

  test.equal(lines[0], `slipway rollback shop r29 -m 'it'\\''s slow'`)
  test.match(lines[1], `${api.url}/api/v1/applications/shop/rollback`)
  test.same(api.told.calls, [
    { act: 'rollback', name: 'shop', by: { kind: 'user', name: 'Ana Lima' }, options: { to: 'r29', message: "it's slow" } },
  ])
})

t.test('what waits for a word is shown with a button, names what would go, and is approved once', async test => {
  const old = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'old' }
  const asks = { act: 'prune', objects: [old], since: ago(60) } as const
  const { api, page } = await opened(test, [view('shop', { state: 'OutOfSync', asks }), view('web')], { path: '#/apps/shop/why' })

  await page.getByRole('button', { name: 'Approve', exact: true }).click()
  await page.getByText('ConfigMap shop/old').first().waitFor()
  await page.getByText('slipway approve shop').first().waitFor()
  await page.getByRole('button', { name: 'Approve shop' }).click()
  await page
    .getByText(/approved/)
    .first()
    .waitFor()

  test.same(
    api.told.calls.map(({ act }) => act),
    ['approve'],
  )
})

t.test('all of it goes by keyboard', async test => {
  const { api, page } = await opened(test, [view('a'), view('b')])
  await page.waitForSelector('.row')
  const hash = () => page.evaluate('location.hash')

  for (const key of ['j', 'j', 'Enter']) await page.keyboard.press(key)
  test.equal(await hash(), '#/apps/b/why')
  for (const [key, tab] of Object.entries({ d: 'diff', h: 'history', l: 'logs', o: 'objects', e: 'events', w: 'why' })) {
    await page.keyboard.press(key)
    test.equal(await hash(), `#/apps/b/${tab}`)
  }
  await page.keyboard.press('k')
  test.equal(await hash(), '#/apps/a/why')
  await page.keyboard.press('s')
  await page.getByRole('button', { name: 'Sync a' }).waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  test.equal(await hash(), '#/apps')
  for (const key of ['g', 'n']) await page.keyboard.press(key)
  test.equal(await hash(), '#/nodes')
  await page.keyboard.press('?')
  test.ok(await page.locator('.keys').isVisible())
  test.same(api.told.calls, [])
})

t.test('a broken connection is said and greys what is old; coming back catches up', async test => {
  const { api, page } = await opened(test, [view('shop')])
  await page.waitForSelector('.live-live')
  const context = page.context()

  await context.setOffline(true)
  await api.tokens.list()
  const port = Number(new URL(api.url).port)
  await api.close()
  await page.waitForSelector('main.stale')
  test.match(await page.locator('.stale-note').textContent(), /No connection to the controller. What you see is as of/)
  test.match(await page.locator('.live').textContent(), /no connection for/)

  await context.setOffline(false)
  const { createApi } = await import('../../controller/api/server.js')
  const again = await createApi({
    service: api.told.service,
    tokens: api.tokens,
    clock: api.clock,
    version: '0.1.0',
    webhookSecrets: {},
    uiDir,
    log: false,
  })
  test.teardown(() => again.close())
  api.told.views.set('late', view('late'))
  await again.listen({ host: '127.0.0.1', port })
  await page.waitForSelector('.row:has-text("late")')
  test.equal(await page.locator('main.stale').count(), 0)
})

t.test('who is not signed in is told how', async test => {
  const { api, page } = await opened(test, [view('shop')])
  await page.context().clearCookies()
  await page.goto('about:blank')
  await page.goto(`${api.url}/`)
  await page.waitForSelector('text=slipway login --link')
  test.equal(await page.locator('.row').count(), 0)
})

t.test('nothing that others wrote runs, wherever it stands', async test => {
  const evil = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><a href="javascript:window.pwned=1">x</a>'
  const bad = rolledBack('shop')
  const commit = release(31, '4f2a91c', { subject: evil, author: evil, commit: evil })
  const verdict = { ...bad.attempt!.verdict!, message: evil, log: [evil], pod: evil, limit: evil }
  const tried = attempt({
    release: commit,
    message: evil,
    by: evil,
    outcome: 'RolledBack',
    verdict,
    moves: [{ at: ago(9), step: evil, message: evil }],
  })
  const shop = view('shop', {
    state: 'RolledBack',
    message: evil,
    short: evil,
    place: evil,
    release: commit,
    candidate: { ...commit, id: 'x' },
    attempt: tried,
    source: { repoURL: 'javascript:window.pwned=1', path: evil, chart: '', targetRevision: evil },
    why: { headline: evil, attempt: tried, likely: evil, next: [evil], commands: [evil] },
    paused: { by: evil, at: ago(9), reason: evil },
  })
  const { api, page } = await opened(test, [shop])
  api.told.tree = [object({ name: evil }, { origin: evil, health: { status: evil, message: evil } })]
  api.told.diff = {
    from: '',
    to: '',
    objects: [{ ref: { ...object().ref, name: evil }, change: 'changed', patch: [], text: `+${evil}` }],
  }
  api.told.history = [tried]
  api.told.logs = [{ at: evil, pod: evil, container: evil, text: evil }]
  api.told.events = [event('shop', evil, { message: evil })]
  api.told.nodes = [node(evil, { versions: { [evil]: evil } })]

  for (const tab of ['why', 'objects', 'diff', 'history', 'logs', 'events']) {
    await page.goto(`${api.url}/#/apps/shop/${tab}`)
    await page.locator('.panel', { hasText: 'window.pwned' }).waitFor()
  }
  await page.goto(`${api.url}/#/nodes`)
  test.equal(await page.evaluate('window.pwned'), undefined)
  test.equal(await page.locator('img, a[href^="javascript"]').count(), 0)
})

t.test('no applications yet: the page teaches the first', async test => {
  const { page } = await opened(test, [])
  await page.waitForSelector('text=No applications yet')
  test.match(await page.locator('.empty').textContent(), /kind: Application[\s\S]*slipway apply -f application.yaml/)
})

t.test('text is readable in both themes: at least 4.5 to 1', async test => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await opened(
      test,
      [
        view('gateway'),
        rolledBack('shop'),
        view('batch', { state: 'Held' }),
        view('x', { state: 'Failed' }),
        view('y', { state: 'Unknown' }),
        view('z', { state: 'Releasing' }),
      ],
      { colorScheme, path: '#/apps/shop/why' },
    )
    await page.waitForSelector('.why')
    const poor = (await page.evaluate(contrastScript)) as readonly string[]
    test.same(poor, [], colorScheme)
  }
})

/** In the page: texts whose colour stands less than 4.5:1 before the nearest painted ground. */
const contrastScript = `(() => {
  const parse = text => { const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true }); c.fillStyle = text; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data] }
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }); return 0.2126 * x + 0.7152 * y + 0.0722 * z }
  const ground = element => { for (let at = element; at; at = at.parentElement) { const c = parse(getComputedStyle(at).backgroundColor); if (c[3] === 255) return c } return [255, 255, 255, 255] }
  const poor = []
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some(one => one.nodeType === 3 && one.textContent.trim() !== '')) continue
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) poor.push(element.className + ' "' + element.textContent.trim().slice(0, 30) + '" ' + ratio.toFixed(2))
  }
  return poor
})()`
