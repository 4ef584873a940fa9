// The page as people have it: the real product behind a real Chromium. Followed login link, live list, a bad release watched and
// read, every act pressed, all by keyboard, nothing asked of anyone else, and axe over every screen.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t from 'tap'
import { application } from '../support/applications.js'
import { chromiumPath, openBrowser } from '../support/browser.js'
import { runProgram } from '../support/machine.js'
import { startSlipway } from '../support/slipway.js'
import { loadWebImage, removeImages, web } from '../support/web.js'

const chromium = chromiumPath()
if (chromium === null) {
  t.plan(0, 'NOT TESTED: the page. There is no Chromium; install one (apt install chromium) or name it in CHROMIUM')
  process.exit(0)
}

t.setTimeout(180_000)
const slipway = await startSlipway(t)
const { image } = await loadWebImage(slipway)
const browser = await openBrowser(chromium)
t.teardown(() => browser.close())

const shop = await application(slipway, 'shop')
const change = (more: { message?: string; behaviour?: string }, message: string) =>
  shop.push({ 'web.yaml': web({ image, ...more }) }, message)

/** Whatever the browser complained of: errors, policy violations, requests that left our address. */
const complaints: string[] = []

async function openPage(): Promise<Page> {
  const context = await browser.newContext({ colorScheme: 'light', viewport: { width: 1280, height: 860 } })
  const page = await context.newPage()
  page.setDefaultTimeout(45_000)
  const isOurs = (url: string) => url.startsWith(slipway.client.server) || url.startsWith('data:')
  // Networks of this machine come and go with every test that runs beside this one: that is none of the page's doing.
  const isOther = (text: string) => text.includes('ERR_NETWORK_CHANGED')
  page.on('console', message => message.type() === 'error' && !isOther(message.text()) && complaints.push(message.text()))
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('request', request => !isOurs(request.url()) && complaints.push(request.url()))
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', event => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))`,
  )
  return page
}

const loginLink = async () => /https?:\S+/.exec((await slipway.cli('login', '--link')).out)?.[0] ?? ''
const detail = (page: Page, text: string) => page.locator('.detail', { hasText: text }).waitFor()
const state = (page: Page, word: string) => page.locator('.detail .title .mark', { hasText: word }).waitFor()
/** The focus is where this id or text is. */
const focusOn = (page: Page, what: string) =>
  page.waitForFunction(`[document.activeElement.id, document.activeElement.textContent].includes(${JSON.stringify(what)})`)

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds on the screen as it is. */
async function unfit(page: Page, themes: readonly ('light' | 'dark')[] = ['light', 'dark']): Promise<readonly string[]> {
  const found: string[] = []
  for (const colorScheme of themes) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.evaluate(`window.axe || (0, eval)(${JSON.stringify(axe)})`)
    const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>('axe.run()')
    found.push(...violations.map(({ id, nodes }) => `${colorScheme}: ${id}: ${nodes.map(node => node.html).join(' ')}`))
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: null })
  return found
}

const page = await openPage()
const first = await change({}, 'Open the shop')
await shop.declare()

await t.test('a login link opens the page once', async t => {
  const link = await loginLink()
  await page.goto(link)
  await page.waitForSelector('.row')
  t.notMatch(page.url(), /code=/, 'the code is gone from the address')

  const other = await (await browser.newContext()).newPage()
  await other.goto(link)
  await other.waitForSelector('text=This login link was used already, or is too old.')
  t.match(await other.textContent('main'), /slipway login --link/)
  await other.context().close()

  await page.goto(link)
  await page.waitForSelector('.row')
  t.pass('who is signed in already is simply there')
})

await t.test('the list changes while one looks', async t => {
  await shop.settled(first, 'Healthy')
  await page.evaluate('window.same = true')
  const second = await change({ message: 'bem-vindo' }, 'Greet in Portuguese')

  await page
    .locator('.row', { hasText: `Releasing: ${second.slice(0, 7)}` })
    .or(page.locator('.row', { hasText: 'Releasing:' }))
    .first()
    .waitFor()
  await page.locator('.row', { hasText: 'Healthy: 2 of 2 ready' }).filter({ hasText: 'Greet in Portuguese' }).waitFor()
  t.equal(await page.evaluate('window.same'), true, 'it was never loaded again')
  t.match(await page.locator('.counts').textContent(), /1 Healthy/)
  t.match(await page.title(), 'Slipway')
  t.same(await unfit(page), [])
})

await t.test('a bad release is watched being rolled back, and its evidence read', async t => {
  await page.keyboard.press('j')
  await focusOn(page, 'row-shop')
  await page.keyboard.press('Enter')
  await state(page, 'Healthy')
  await change({ message: 'bem-vindo', behaviour: 'crash' }, 'Use the new cache')

  await state(page, 'Releasing')
  await page.locator('.steps .moving').waitFor()
  await state(page, 'Rolled back')
  const steps = await page.locator('.steps').textContent()
  t.match(steps, /judged ✖failed.*rolling back ✔done.*Rolled back/)
  t.match(await page.locator('.sentence').textContent(), /is bad: container web exited 1 three times/)
  const why = await page.locator('.why').textContent()
  for (const part of [
    'was rolled back',
    'Use the new cache',
    'getaddrinfo ENOTFOUND cache',
    'No Service "cache"',
    'slipway retry shop',
  ])
    t.match(why?.toLowerCase(), part.toLowerCase())
  t.match(await page.title(), '▲ shop')
  t.same(await unfit(page), [])
})

await t.test('each tab shows the real thing', async t => {
  const shows = async (key: string, ...parts: readonly string[]) => {
    await page.keyboard.press(key)
    for (const part of parts) await page.locator('.panel', { hasText: part }).waitFor()
    t.same(await unfit(page, ['dark']), [], key)
  }
  await shows('h', 'Use the new cache', 'r3 ↩ r2', 'judged bad after', 'Greet in Portuguese', 'Open the shop')
  await page.locator('.panel summary').first().click()
  await page.locator('.panel .evidence', { hasText: 'ENOTFOUND cache' }).first().waitFor()
  await shows('o', 'Deployment', 'ReplicaSet', '2 of 2 ready', 'Pod', 'running', 'web.yaml:1')
  await shows('d', 'Deployment', 'crash', 'serve')
  await shows('l', 'web starts (behaviour: serve)')
  await shows('e', 'rolled-back', 'rolling-back', 'syncing')
  await page.keyboard.press('w')
})

await t.test('retry is opened, shown and asked for without a mouse, and tries it again', async t => {
  const { number } = (await shop.history())[0]!
  await page.keyboard.press('t')
  await page.locator('form.act').waitFor()
  t.same(await page.locator('.act .copyline .label').allTextContents(), ['terminal', 'curl'])
  await focusOn(page, 'Retry shop')
  await page.keyboard.press('Escape')
  await focusOn(page, 'act-retry')
  await page.keyboard.press('t')
  await focusOn(page, 'Retry shop')
  await page.keyboard.press('Enter')

  await page.waitForSelector('text=Retry: asked for.')
  await state(page, 'Releasing')
  await state(page, 'Rolled back')
  t.match((await shop.history())[0], { number: number + 1, cause: 'retry', outcome: 'RolledBack' })
})

await t.test('the curl line of an act does what its button does', async t => {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
  } catch {
    return t.plan(0, 'NOT TESTED: there is no curl')
  }
  await page.keyboard.press('p')
  await page.locator('form.act input').fill("it's Black Friday")
  const line = (await page.locator('.act .copyline code').nth(1).textContent()) ?? ''
  await page.keyboard.press('Escape')
  const token = /token: (\S+)/.exec(readFileSync(`${slipway.work}/cli.yaml`, 'utf8'))?.[1] ?? ''

  const { code, out, err } = await runProgram('/bin/sh', ['-c', line], { PATH: process.env.PATH ?? '', SLIPWAY_TOKEN: token })

  t.equal(code, 0, err)
  t.match(JSON.parse(out), { message: /shop is paused/ })
  await state(page, 'Paused')
  await detail(page, "it's Black Friday")
})

await t.test('resume, pause and roll back act, and say so', async t => {
  await page.keyboard.press('p')
  await focusOn(page, 'Resume shop')
  await page.keyboard.press('Enter')
  await page.waitForSelector('text=shop goes on.')
  await state(page, 'Rolled back')

  await page.getByRole('button', { name: 'Pause', exact: true }).click()
  await page.getByRole('button', { name: 'Pause shop' }).click()
  await state(page, 'Paused')
  await page.getByRole('button', { name: 'Resume', exact: true }).click()
  await page.getByRole('button', { name: 'Resume shop' }).click()
  await state(page, 'Rolled back')

  await page.keyboard.press('r')
  await page.waitForFunction(`document.activeElement.tagName === 'SELECT'`)
  await page.locator('.act select option', { hasText: 'Open the shop' }).waitFor({ state: 'attached' })
  await page.locator('.act select').selectOption('r1')
  t.same(await unfit(page), [], 'the form of an act')
  await page.getByRole('button', { name: 'Roll back shop' }).click()
  await page.locator('.facts', { hasText: 'pinned' }).waitFor()
  const view = await shop.until('back at r1', seen => seen.release?.number === 'r1' && seen.health.status === 'Healthy')
  t.match(view.pinned, { to: 'r1' })
  await page.locator('.facts', { hasText: 'r1 ' }).filter({ hasText: 'Open the shop' }).waitFor()
})

await t.test('the keys lead everywhere, and a line keeps the focus one left it with', async t => {
  await page.keyboard.press('?')
  await page.locator('.keys').waitFor()
  t.same(await unfit(page), [], 'all keys')
  await page.keyboard.press('?')
  await page.keyboard.press('Escape')
  await page.waitForFunction(`location.hash === '#/apps' && document.activeElement.id === 'row-shop'`)
  for (const key of ['g', 'n']) await page.keyboard.press(key)
  await page.locator('td', { hasText: slipway.node }).waitFor()
  t.same(await unfit(page), [], 'nodes')
  await page.keyboard.press('/')
  await page.keyboard.type('sho')
  await page.keyboard.press('Enter')
  await page.locator('.detail h1', { hasText: 'shop' }).waitFor()
})

await t.test('nothing was complained of, and nobody else was asked', async t => t.same(complaints, []))

await t.test('without the controller the page says how old it is, and catches up once it is back', async t => {
  await slipway.kill('controller')
  await page.waitForSelector('.stale-note')
  t.match(await page.locator('.stale-note').textContent(), /as of .*, \d+ s old|Connecting again/)
  await page.waitForSelector('.live-live')
  t.equal(await page.locator('main.stale').count(), 0)
  await removeImages(slipway, '1')
})
