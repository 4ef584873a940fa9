// The story that `npm run demo` tells: push, watch, break, see it hauled back, revert. Every chapter is checked; the exit code says whether all held.
import { execFile, spawn } from 'node:child_process'
import { cpSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ApplicationView } from '../../controller/view.js'
import { type Client, clientFromContext } from './client.js'
import { loadImage } from './engine.js'
import { busyboxFiles, demoImage, nodeFiles, staticBusybox } from './images.js'
import { get, type Load, startLoad } from './load.js'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../../..')
const cli = join(root, 'build/controller/cli/main.js')
const home = process.env.SLIPWAY_HOME ?? join(tmpdir(), 'slipway-demo')
const port = process.env.SLIPWAY_PORT ?? '7435'
const leave = !process.argv.includes('--exit')
const env = {
  ...process.env,
  SLIPWAY_HOME: home,
  SLIPWAY_CONFIG: join(home, 'cli.yaml'),
  SLIPWAY_NODE: process.env.SLIPWAY_NODE ?? 'demo',
  SLIPWAY_PORT: port,
}
const gitPort = Number(process.env.SLIPWAY_DEMO_GIT_PORT ?? 7434)
const nodePort = Number(process.env.SLIPWAY_DEMO_PORT ?? 30_080)
const work = join(home, 'demo')
const shop = join(work, 'shop')
const address = `http://127.0.0.1:${nodePort}/`
const run = promisify(execFile)

const failures: string[] = []
let chapter = 0

function title(text: string): void {
  chapter += 1
  console.log(`\n\x1b[1m${chapter}. ${text}\x1b[0m`)
}

function say(text: string): void {
  console.log(`   ${text}`)
}

function check(held: boolean, told: string): void {
  console.log(`   ${held ? '\x1b[32m✔\x1b[0m' : '\x1b[31m✖\x1b[0m'} ${told}`)
  if (!held) failures.push(`chapter ${chapter}: ${told}`)
}

/** Shows the command as one would type it, and its output. */
async function slipway(...args: readonly string[]): Promise<void> {
  console.log(`   \x1b[2m$ slipway ${args.join(' ')}\x1b[0m`)
  const child = spawn(process.execPath, [cli, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) console.log(`   ${line}`)
  })
  const code = await new Promise<number | null>(resolve => child.on('exit', resolve))
  if (rest !== '') console.log(`   ${rest}`)
  if (code !== 0 && args[0] !== 'why' && args[0] !== 'status') throw new Error(`slipway ${args[0]} ended with ${code}`)
}

async function git(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', shop, ...args], {
    env: {
      ...process.env,
      GIT_AUTHOR_NAME: 'Ana Lima',
      GIT_AUTHOR_EMAIL: 'ana@shop.test',
      GIT_COMMITTER_NAME: 'Ana Lima',
      GIT_COMMITTER_EMAIL: 'ana@shop.test',
    },
  })
  return stdout.trim()
}

/** Changes values.yaml, commits, pushes, and tells the controller as a webhook would; gives the commit. */
async function push(client: Client, message: string, values: Readonly<Record<string, string>>): Promise<string> {
  const file = join(shop, 'values.yaml')
  let text = readFileSync(file, 'utf8')
  for (const [name, value] of Object.entries(values)) text = text.replace(new RegExp(`^${name}:.*$`, 'm'), `${name}: ${value}`)
  writeFileSync(file, text)
  await git('commit', '--quiet', '-am', message)
  return published(client, message)
}

async function published(client: Client, message: string): Promise<string> {
  await git('push', '--quiet', 'origin', 'HEAD:main')
  const commit = await git('rev-parse', 'HEAD')
  say(`pushed ${commit.slice(0, 7)} "${message}"`)
  await client.call('POST', '/api/v1/applications/shop/refresh')
  return commit
}

async function settled(
  client: Client,
  commit: string,
  state: ApplicationView['state'],
  withinMs: number,
): Promise<{ view: ApplicationView; tookMs: number }> {
  const began = Date.now()
  const view = await client.until(
    'shop',
    `${state} with ${commit.slice(0, 7)}`,
    view => view.candidate?.commit === commit && view.state === state,
    withinMs,
  )
  return { view, tookMs: Date.now() - began }
}

function noneFailed(load: Load): void {
  const failed = load.failures()
  check(
    failed.length === 0,
    `${load.sent()} requests so far, ${failed.length} failed${failed.length === 0 ? '' : `: ${failed.slice(0, 3).join('; ')}`}`,
  )
}

async function start(): Promise<Client> {
  title('Start everything on this machine')
  say('Shortened for the demo: bake time 3 s (default 30 s), health timeout 15 s (default 5 min).')
  await slipway('up')
  const client = clientFromContext(env.SLIPWAY_CONFIG)
  const busybox = staticBusybox()
  const files = busybox === null ? nodeFiles() : busyboxFiles(busybox)
  const server = readFileSync(join(root, 'examples/demo', busybox === null ? 'server.mjs' : 'server.sh'))
  const path = busybox === null ? '/app/server.mjs' : '/app/server.sh'
  const entrypoint = busybox === null ? ['/bin/node', path] : ['/bin/sh', path]
  await loadImage(home, demoImage('slipway-demo/shop:1', [...files, { path, content: server, mode: 0o755 }], { entrypoint }))
  check(true, `image slipway-demo/shop:1 made from ${busybox === null ? 'the running Node' : busybox}, without a registry`)
  return client
}

async function serveRepository(): Promise<string> {
  mkdirSync(work, { recursive: true })
  const child = spawn(process.execPath, [join(here, 'git-server-main.js'), join(work, 'git'), String(gitPort)], {
    detached: true,
    stdio: ['ignore', 'pipe', openSync(join(work, 'git-server.log'), 'a')],
  })
  writeFileSync(join(work, 'git-server.pid'), String(child.pid))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()))
    child.once('exit', code => reject(new Error(`the Git server ended with ${code}; is port ${gitPort} free?`)))
  })
  child.stdout?.destroy()
  child.unref()
  return url
}

async function firstRelease(client: Client): Promise<void> {
  title('Push the example: a Handlebars chart in a Git repository served over http')
  const url = await serveRepository()
  rmSync(shop, { recursive: true, force: true })
  cpSync(join(root, 'examples/shop'), shop, { recursive: true })
  await git('init', '--quiet', '--initial-branch=main')
  await git('remote', 'add', 'origin', url)
  writeFileSync(
    join(shop, 'values.yaml'),
    readFileSync(join(shop, 'values.yaml'), 'utf8')
      .replace(/^image:.*$/m, 'image: slipway-demo/shop:1')
      .replace(/^nodePort:.*$/m, `nodePort: ${nodePort}`),
  )
  await git('add', '-A')
  await git('commit', '--quiet', '-m', 'Open the shop')
  const application = join(work, 'application.yaml')
  writeFileSync(
    application,
    readFileSync(join(root, 'examples/shop/application.yaml'), 'utf8')
      .replace(/repoURL:.*/, `repoURL: ${url}`)
      .replace(/healthTimeout:.*/, 'healthTimeout: 15s'),
  )
  await git('push', '--quiet', 'origin', 'HEAD:main')
  await slipway('apply', '-f', application)
  const commit = await git('rev-parse', 'HEAD')
  const { tookMs } = await settled(client, commit, 'Healthy', 60_000)
  check(true, `${commit.slice(0, 7)} is healthy after ${(tookMs / 1000).toFixed(1)} s, bake time included`)
  await slipway('apps')
  check((await get(address)).includes('welcome'), `it answers behind its Service: ${address}`)
}

async function goodChange(client: Client): Promise<Load> {
  title('Steady load, and a good change')
  const load = startLoad(address, { clients: 8, rate: 100 })
  await delay(1000)
  const commit = await push(client, 'Greet in Portuguese', { message: '"bem-vindo"' })
  const { tookMs } = await settled(client, commit, 'Healthy', 60_000)
  check(
    (await get(address)).includes('bem-vindo'),
    `the new version serves; healthy after ${(tookMs / 1000).toFixed(1)} s, bake time included`,
  )
  noneFailed(load)
  return load
}

async function badChange(
  client: Client,
  load: Load,
  name: string,
  message: string,
  behaviour: string,
  withinMs: number,
): Promise<void> {
  title(name)
  const commit = await push(client, message, { behaviour })
  const { view, tookMs } = await settled(client, commit, 'RolledBack', withinMs)
  check(
    view.release?.commit !== commit && view.health.status === 'Healthy',
    `rolled back by itself after ${(tookMs / 1000).toFixed(1)} s; the old version served all the while`,
  )
  check((await get(address)).includes('bem-vindo'), 'and it serves now')
  noneFailed(load)
  await slipway('why', 'shop')
}

async function revert(client: Client, load: Load): Promise<void> {
  title('git revert is a rollback like any other commit')
  const before = (await client.tree('shop')).flatMap(podNames).sort()
  await git('revert', '--no-commit', 'HEAD~2..HEAD')
  await git('commit', '--quiet', '-m', 'Revert "Wait for the moon" and "Use the new cache"')
  const commit = await published(client, 'Revert "Wait for the moon" and "Use the new cache"')
  await settled(client, commit, 'Healthy', 30_000)
  const after = (await client.tree('shop')).flatMap(podNames).sort()
  check(JSON.stringify(before) === JSON.stringify(after), 'what Git says runs already: healthy at once, nothing was restarted')
  noneFailed(load)
  await slipway('history', 'shop')
}

/** Those that serve: what was hauled back may still be ending. */
function podNames(object: {
  readonly pod: { readonly name: string; readonly ready: boolean } | null
  readonly children: readonly unknown[]
}): readonly string[] {
  const below = (object.children as readonly (typeof object)[]).flatMap(podNames)
  return object.pod?.ready === true ? [object.pod.name, ...below] : below
}

async function cleanUp(): Promise<void> {
  try {
    process.kill(Number(readFileSync(join(work, 'git-server.pid'), 'utf8')), 'SIGTERM')
  } catch {
    // It was never started, or has ended.
  }
  await slipway('down', '--purge')
}

async function story(): Promise<void> {
  await cleanUp().catch(() => undefined)
  const client = await start()
  await firstRelease(client)
  const load = await goodChange(client)
  await badChange(client, load, 'A change that crashes', 'Use the new cache', 'crash', 60_000)
  await badChange(client, load, 'A change that never gets ready', 'Wait for the moon', 'never-ready', 90_000)
  await revert(client, load)
  await load.stop()
}

async function main(): Promise<number> {
  if (process.argv.includes('--end')) {
    await cleanUp()
    return 0
  }
  const began = Date.now()
  await story().catch(error => failures.push(`chapter ${chapter}: ${(error as Error).message}`))
  console.log(
    failures.length === 0
      ? `\nEvery chapter held, in ${Math.round((Date.now() - began) / 1000)} s.`
      : `\nNot as told:\n${failures.join('\n')}`,
  )
  if (leave) await farewell()
  else await cleanUp()
  return failures.length === 0 ? 0 : 1
}

/** Everything goes on: where it is, and how to end it. */
async function farewell(): Promise<void> {
  console.log(`\nThe shop runs at ${address}. Its repository is ${shop}: change values.yaml, commit, git push origin HEAD:main.`)
  await slipway('up').catch(() => undefined)
  console.log(
    `\nSlipway's own commands for it:  export SLIPWAY_HOME=${home} SLIPWAY_CONFIG=${env.SLIPWAY_CONFIG}  then  npx slipway apps`,
  )
  console.log('End and remove all of it:       npm run demo -- --end')
}

process.exit(await main())
