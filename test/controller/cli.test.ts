import { spawn } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { endOf, quietMs } from '../../controller/cli/goal.js'
import { liveLines } from '../../controller/cli/progress.js'
import { durationOf } from '../../controller/cli/waiting.js'
import { age, cut, duration, painter, table, wrapped } from '../../controller/cli/words.js'
import { stepsOf } from '../../controller/steps.js'
import type { ApplicationView } from '../../controller/view.js'
import { type RunningApi, runApi } from '../support/api.js'
import { ago, attempt, event, node, noon, object, release, rolledBack, view } from '../support/service.js'

const main = join(import.meta.dirname, '../../controller/cli/main.js')

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** As a user runs it: a process, its environment, what it printed, how it ended. */
async function slipway(args: readonly string[], env: Readonly<Record<string, string>>, stdin = ''): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env.PATH ?? '', NO_COLOR: '1', ...env } })
  let [out, err] = ['', '']
  child.stdout.on('data', part => {
    out += part
  })
  child.stderr.on('data', part => {
    err += part
  })
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  return { code, out, err }
}

async function opened(test: Test, views: readonly ApplicationView[]) {
  const api = await runApi(views)
  const dir = test.testdir({})
  test.teardown(() => api.close())
  const env = { SLIPWAY_SERVER: api.url, SLIPWAY_TOKEN: api.token.admin, SLIPWAY_CONFIG: join(dir, 'config.yaml') }
  const run = (line: string, over: Readonly<Record<string, string>> = {}, stdin = '') =>
    slipway(line.split(' '), { ...env, ...over }, stdin)
  return { api, dir, env, run }
}

const payments = view('payments', {
  state: 'Releasing',
  short: 'wave 1 of 3, api 2 of 3 ready',
  since: ago(8),
  place: 'cluster/prod-eu',
  attempt: attempt({
    number: 9,
    outcome: null,
    step: 'Syncing',
    stepDetail: 'wave 1 of 3',
    release: release(9, 'c0ffee1', { subject: 'Raise limits' }),
    moves: [
      { at: ago(8.5), step: 'Rendering', message: '24 objects, 2 changed' },
      { at: ago(8.4), step: 'Preflight', message: 'dry-run 24, images present' },
      { at: ago(8), step: 'Syncing', message: 'Sync wave 1 of 3: 4 objects' },
    ],
  }),
})

t.test('apps: a table, those that need a person first', async test => {
  const { run } = await opened(test, [
    view('gateway'),
    rolledBack(),
    payments,
    view('batch', { state: 'Held', since: ago(60), short: 'templates/job.hbs:7:14 undefined value schedule' }),
  ])

  const { code, out } = await run('apps')

  test.equal(
    out,
    [
      '   APP        STATE         RELEASE   COMMIT    WHERE             AGE',
      '▲  shop       Rolled back   r30       9be03d7   node/lab          12s   4f2a91c is bad: web exited 1 three times',
      '◇  batch      Held          r14       9be03d7   node/lab          1m    templates/job.hbs:7:14 undefined value schedule',
      '◐  payments   Releasing     r9        c0ffee1   cluster/prod-eu   8s    wave 1 of 3, api 2 of 3 ready',
      '●  gateway    Healthy       r14       9be03d7   node/lab          3h',
      '',
    ].join('\n'),
  )
  test.equal(code, 0)
})

t.test('why: the whole answer on one screen', async test => {
  const { run } = await opened(test, [rolledBack()])

  const { code, out } = await run('why shop')

  test.equal(
    out,
    `shop was rolled back 12 s ago. It runs 9be03d7 (r30), healthy, 3 of 3 ready.

  4f2a91c  "Use the new cache"  Ana Lima, 40 s ago   judged bad after 6 s
  Deployment shop/web: container web exited 1 three times, never ready (restartsAllowed 2)
    | 12:01:07 connecting to cache:6379
    | 12:01:07 Error: getaddrinfo ENOTFOUND cache

  Likely: no Service "cache" in namespace shop. There is "cache-redis" (shop), "cache" (other).

  Not tried again until its content changes.
    slipway retry shop
    slipway diff shop 9be03d7 4f2a91c
`,
  )
  test.equal(code, 0)
})

t.test('status: what runs, what is newest, the objects; 1 when it is not well', async test => {
  const { api, run } = await opened(test, [rolledBack(), view('gateway')])
  api.told.tree = [
    object(
      {},
      {
        children: [object({ kind: 'Pod', name: 'web-1' }, { sync: '', health: { status: 'Degraded', message: 'back-off 4 s' } })],
      },
    ),
    object({ kind: 'Service', group: '' }, { sync: 'OutOfSync', health: { status: 'Healthy', message: '' } }),
  ]

  const shop = await run('status shop')

  test.equal(shop.code, 1)
  test.match(shop.out, /^▲ shop {3}Rolled back {3}12 s ago\n/)
  test.match(
    shop.out,
    '  runs      r30  9be03d7  "Say hello"  Ana Lima\n  newest    r31  4f2a91c  "Use the new cache"  Ana Lima\n',
  )
  test.match(shop.out, '  ● Deployment web   3 of 3 ready\n    ▼ Pod web-1   back-off 4 s\n  ● Service web   differs from Git\n')
  test.equal((await run('status gateway')).code, 0)
  test.equal((await run('status')).code, 1)
})

t.test('history, events, logs, nodes, render and get say theirs', async test => {
  const { api, run } = await opened(test, [rolledBack()])
  api.told.history = [rolledBack().attempt!, attempt({ number: 30 })]
  api.told.events = [event('shop', 'rolled-back', { at: ago(12) }), event('shop', 'seen', { at: ago(38) })]
  api.told.logs = [{ at: ago(3), pod: 'web-1', container: 'web', text: 'hello \u001b[31mred\u001b[0m\u0007' }]
  api.told.nodes = [node('lab'), node('edge', { ready: false, lastSeen: ago(400) })]
  api.told.manifests = [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, data: { password: 'aHVudGVyMg==' } }]
  api.told.declarations.set('shop', { apiVersion: 'slipway.dev/v1alpha1', kind: 'Application', metadata: { name: 'shop' } })

  test.equal(
    (await run('history shop')).out,
    `   #    OUTCOME       RELEASE   COMMIT    CAUSE    BY         AGE   TOOK
▲  31   Rolled back   r31       4f2a91c   commit   Ana Lima   12s   26 s   judged bad after 6 s
●  30   Healthy       r14       9be03d7   commit   Ana Lima   4s    36 s   healthy after 4 s
`,
  )
  test.equal(
    (await run('events shop')).out,
    '2026-03-01T11:59:22.000Z shop seen shop: seen\n2026-03-01T11:59:48.000Z shop rolled-back shop: rolled-back\n',
  )
  test.equal((await run('logs shop')).out, 'web-1/web hello red\n', 'what would steer the terminal is taken out')
  const nodes = await run('nodes')
  test.match(nodes.out, /●\s+lab\s+Ready\s+2s\s+3\s+7\/110/)
  test.match(nodes.out, /▼\s+edge\s+Not ready\s+6m/)
  test.equal(nodes.code, 1)
  test.equal(
    (await run('render shop')).out,
    '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  password: (secret)\n',
  )
  test.equal((await run('get shop')).out, 'apiVersion: slipway.dev/v1alpha1\nkind: Application\nmetadata:\n  name: shop\n')
})

t.test('diff exits 1 where something differs, 0 where nothing does or it is muted', async test => {
  const { api, run } = await opened(test, [view('shop')])
  const same = await run('diff shop')
  api.told.diff = {
    from: '',
    to: '',
    objects: [{ ref: object().ref, change: 'changed', patch: [], text: '-image: a\n+image: b\n' }],
  }

  const differs = await run('diff shop r30 r31')

  test.match(same, { code: 0, out: 'No difference between live and the newest.\n' })
  test.match(differs, {
    code: 1,
    out: '1 object differs between r30 and r31.\n\n~ Deployment shop/web\n    -image: a\n    +image: b\n',
  })
  test.equal((await run('diff shop --exit-code false')).code, 0)
})

t.test('-o json and -o yaml give what the API gives, with its version', async test => {
  const { run } = await opened(test, [rolledBack()])

  const apps = JSON.parse((await run('apps -o json')).out) as { version: string; items: ApplicationView[]; total: number }
  const why = JSON.parse((await run('why shop -o json')).out) as { version: string; state: string; since: string }

  test.same([apps.version, apps.total, apps.items[0]?.since], ['v1', 1, '2026-03-01T11:59:48.000Z'])
  test.same([why.version, why.state], ['v1', 'RolledBack'])
  test.match((await run('status shop -o yaml')).out, /^version: v1\nname: shop\n/)
})

t.test('each end has its exit code, and says what to do', async test => {
  const { api, env, run } = await opened(test, [view('shop')])
  const read = { SLIPWAY_TOKEN: api.token.read }

  test.match(await run('status none'), { code: 2, err: /There is no application none/ })
  test.match(await run('nothing'), { code: 2, err: /unknown command/ })
  test.match(await run('apps --nothing'), { code: 2, err: /unknown option/ })
  test.match(await run('wait shop --timeout soon'), { code: 2, err: /write 90s, 10m or 1h/ })
  test.match(await run('pause shop', read), { code: 4, err: /may read; this needs one that may write/ })
  test.match(await run('apps', { SLIPWAY_TOKEN: 'slw_wrong' }), { code: 5, err: /slipway login http/ })
  test.match(await slipway(['apps'], { ...env, SLIPWAY_TOKEN: '' }), { code: 5, err: /No token/ })
  test.match(await run('apps', { SLIPWAY_SERVER: 'http://127.0.0.1:1' }), {
    code: 2,
    err: /127\.0\.0\.1:1 cannot be reached: .*\n.*is it running\? {2}slipway up/,
  })
  test.match(await run('delete shop'), { code: 2, err: /--yes/ })
  test.match(await run('--help'), { code: 0, out: /4 {2}refused/ })
  test.match(await run('sync --help'), { code: 0, out: /3 {2}not finished within --timeout/ })
})

t.test('sync --wait in a pipe: a line a change with its time, and the end as exit code', async test => {
  const { api, run } = await opened(test, [view('shop')])
  const syncing = (over: Partial<ApplicationView>) => api.told.tell({ type: 'application', view: view('shop', over) })
  api.told.onAct = () => {
    syncing({ requests: [{ id: 'req-1', kind: 'sync', by: 'admin', at: ago(0) }] })
    setTimeout(() => syncing({ ...payments, name: 'shop', requests: [] }), 150)
    setTimeout(() => syncing({ message: 'c0ffee1 runs, healthy, 3 of 3 ready.' }), 300)
  }

  const ended = await run('sync shop --wait')

  test.equal(ended.code, 0, ended.err)
  test.match(ended.out, /^\S+Z shop releasing: syncing: wave 1 of 3, api 2 of 3 ready$/m)
  test.match(ended.out, /Z shop ok: c0ffee1 runs, healthy, 3 of 3 ready\.\n$/)
})

t.test('wait: 1 for a rollback, 3 when time is over, JSON as one event a line, --commit waits for that commit', async test => {
  const { api, run } = await opened(test, [rolledBack(), { ...payments }])

  const bad = await run('wait shop -o json')
  const late = await run('wait payments --timeout 300ms')
  const commit = run('wait shop --commit 77aa012')
  const timer = setTimeout(
    () => api.told.tell({ type: 'application', view: view('shop', { candidate: release(32, '77aa012') }) }),
    400,
  )
  test.teardown(() => clearTimeout(timer))

  test.equal(bad.code, 1)
  const lines = bad.out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { type: string; ok?: boolean; state: string })
  test.same(
    lines.map(({ type, ok, state }) => ({ type, ok, state })),
    [
      { type: 'progress', ok: undefined, state: 'RolledBack' },
      { type: 'result', ok: false, state: 'RolledBack' },
    ],
  )
  test.match(late, { code: 3, err: /payments did not come to an end within 0\.3 s.*\n.*slipway why payments/ })
  test.equal((await commit).code, 0)
})

t.test('requests carry what was asked', async test => {
  const { api, run } = await opened(test, [view('shop')])
  for (const line of [
    'sync shop --no-prune',
    'sync shop --revision 4f2a91c',
    'sync shop --resource apps:Deployment:web --resource :Service:* --test',
    'rollback shop r14 -m slow',
    'retry shop',
    'rotate shop Secret/db 3f9a1c2b',
    'rotate shop --all',
    'approve shop --yes',
    'pause shop -m audit',
    'resume shop',
    'delete shop --cascade --yes',
    'delete shop --cascade --skip-hooks --yes',
  ])
    test.equal((await run(line)).code, 0, line)

  test.same(
    api.told.calls.map(({ act, options }) => ({ act, ...(options as object) })),
    [
      { act: 'sync', revision: null, prune: false, resources: [], tests: false },
      { act: 'sync', revision: '4f2a91c', prune: null, resources: [], tests: false },
      { act: 'sync', revision: null, prune: null, resources: ['apps:Deployment:web', ':Service:*'], tests: true },
      { act: 'rollback', to: 'r14', message: 'slow' },
      { act: 'retry', release: '' },
      { act: 'rotate', keys: ['Secret/db', '3f9a1c2b'], all: false },
      { act: 'rotate', keys: [], all: true },
      { act: 'approve' },
      { act: 'pause', reason: 'audit' },
      { act: 'resume' },
      { act: 'remove', cascade: true, skipHooks: false },
      { act: 'remove', cascade: true, skipHooks: true },
    ],
  )
})

t.test('rotate without a key lists what is kept, and asks for nothing', async test => {
  const { api, run } = await opened(test, [view('shop')])
  const kept = {
    file: 'templates/db.yaml',
    label: 'password',
    at: ago(3600),
    from: 'minted',
    expires: '',
    places: [],
    used: true,
  }
  api.told.sticky = [
    {
      ...kept,
      key: 'randAlphaNum-3f9a1c2b0d41aa00',
      id: '3f9a1c2b',
      function: 'randAlphaNum',
      places: ['Secret shop/db data.password'],
    },
    {
      ...kept,
      key: 'genCA-77aa012e44000000',
      id: '77aa012e',
      function: 'genCA',
      label: '$ca',
      expires: '2027-03-01T00:00:00.000Z',
      used: false,
    },
  ]

  const { out, code } = await run('rotate shop')

  test.equal(
    out,
    [
      'KEY        MADE BY        AGE   EXPIRES      WHERE',
      '3f9a1c2b   randAlphaNum   1h                 Secret shop/db data.password',
      '77aa012e   genCA          1h    2027-03-01   templates/db.yaml $ca (unused)',
      '',
    ].join('\n'),
  )
  test.equal(code, 0)
  test.same(api.told.calls, [])
})

t.test('apply takes files, directories and stdin, several documents each, and names the place of a fault', async test => {
  const { dir, run } = await opened(test, [])
  const app = (name: string, kind = 'Application') =>
    `apiVersion: slipway.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\n`
  writeFileSync(join(dir, 'two.yaml'), `${app('a')}---\n${app('b')}---\n`)
  writeFileSync(join(dir, 'notes.txt'), 'not read')
  writeFileSync(join(dir, 'broken.yml'), 'kind: [')

  test.equal((await run(`apply -f ${join(dir, 'two.yaml')} --dry-run`)).out, 'a would be created\nb would be created\n')
  test.equal((await run(`apply -f ${join(dir, 'two.yaml')}`)).out, 'a created\nb created\n')
  test.equal((await run('apply -f -', {}, app('a'))).out, 'a unchanged\n')
  test.match(
    await run(`apply -f ${dir}`),
    { code: 2, out: '', err: /broken\.yml/ },
    'nothing is sent where one file cannot be read',
  )
  test.match(await run('apply -f -', {}, app('c', 'Pod')), {
    code: 2,
    err: /stdin: kind must be Application\.\n {2}\/kind: must be Application/,
  })
  test.match(await run(`apply -f ${join(dir, 'none.yaml')}`), { code: 2, err: /there is no such file/ })
})

t.test('login keeps a tried token (0600); flags come before environment before context; config shows no token', async test => {
  const { api, env, run } = await opened(test, [view('shop')])
  const bare = { SLIPWAY_CONFIG: env.SLIPWAY_CONFIG }

  test.match(await slipway(['login', api.url, '--name', 'lab'], bare, `${api.token.read}\n`), {
    code: 0,
    out: /as read, who may read\. Kept as context lab/,
  })
  test.equal(statSync(env.SLIPWAY_CONFIG).mode & 0o777, 0o600)
  test.match(readFileSync(env.SLIPWAY_CONFIG, 'utf8'), /current: lab/)
  test.equal((await slipway(['apps'], bare)).code, 0)
  const shown = await slipway(['config', 'view'], bare)
  test.match(shown.out, /context lab in /)
  test.notMatch(shown.out + (await slipway(['config', 'view', '-o', 'json'], bare)).out, api.token.read)
  test.match((await run('config view --server http://other:1')).out, /http:\/\/other:1\s+--server/)
  const elsewhere: RunningApi = await runApi([])
  test.teardown(() => elsewhere.close())
  test.match(
    await slipway(['apps', '--server', elsewhere.url], bare),
    { code: 5, err: /No token/ },
    'a token is not sent to another server',
  )
  test.equal((await slipway(['login', api.url], { ...bare, SLIPWAY_TOKEN: 'slw_wrong' })).code, 5)
  test.match((await run('login --link')).out, `${api.url}/login?code=slw_`)
})

t.test('tokens are made, listed and revoked; backup never overwrites; restore takes it back', async test => {
  const { dir, run } = await opened(test, [view('shop')])
  const file = join(dir, 'slipway.backup')

  const token = (await run('tokens create ci --role read --days 1')).out.trim()
  test.equal((await run('apps', { SLIPWAY_TOKEN: token })).code, 0)
  const id = /^ci .* (\w{12})$/m.exec((await run('tokens list')).out)?.[1] ?? ''
  test.equal((await run(`tokens revoke ${id}`)).code, 0)
  test.equal((await run('apps', { SLIPWAY_TOKEN: token })).code, 5)
  test.equal((await run(`backup ${file}`)).code, 0)
  test.equal(statSync(file).mode & 0o777, 0o600)
  test.match(await run(`backup ${file}`), { code: 2, err: /is there already/ })
  test.match(await run(`restore ${file} --yes`), { code: 0, out: /Restored/ })
  test.match(await run(`restore ${join(dir, 'none')} --yes`), { code: 2 })
})

t.test('waiting ends as the state says', async test => {
  const pending = { requests: [{ id: 'r', kind: 'sync' as const, by: 'a', at: '' }] }
  type Asked = { request?: string; commit?: string; part?: boolean }
  const db = { kind: 'dependency' as const, application: 'db', message: 'db, which is being released', until: '' }
  const manual = { state: 'OutOfSync' as const, policy: { ...view('a').policy, automated: false } }
  const over = { ...manual, attempt: { ...payments.attempt!, outcome: 'Healthy' as const } }
  const cases: readonly (readonly [string, ApplicationView, Asked, number, boolean | null])[] = [
    ['healthy', view('a'), {}, 0, true],
    ['rolled back', rolledBack(), {}, 0, false],
    ['releasing', payments, {}, 60_000, null],
    ['a request not begun yet', view('a', pending), { request: 'r' }, 0, null],
    ['a request nothing comes of', view('a', pending), { request: 'r' }, quietMs, true],
    ['a request that was obeyed', view('a'), { request: 'r' }, 0, true],
    [
      'a request that waits for another application',
      view('a', { ...pending, ...manual, blockedBy: [db] }),
      { request: 'r' },
      quietMs,
      null,
    ],
    ['some objects, released', view('a', over), { request: 'r', part: true }, 0, true],
    ['all objects, and something newer came', view('a', over), { request: 'r' }, 0, null],
    ['paused, with a request', view('a', { ...pending, state: 'Paused' }), { request: 'r' }, 0, false],
    ['a commit not seen yet', view('a'), { commit: '77aa' }, 60_000, null],
    ['a commit seen', view('a'), { commit: '9be03' }, 0, true],
    ['waits for a person', view('a', { state: 'OutOfSync', policy: { ...view('a').policy, automated: false } }), {}, 0, false],
    ['out of sync, automated', view('a', { state: 'OutOfSync' }), {}, 0, null],
    ['unknown', view('a', { state: 'Unknown' }), {}, 0, null],
    ['deleting', view('a', { deleting: true }), {}, 0, false],
  ]
  for (const [what, given, goal, quiet, ok] of cases)
    test.equal(endOf(given, { request: '', commit: '', ...goal }, quiet)?.ok ?? null, ok, what)
})

t.test('live lines show the steps behind and the one under way, within 80 columns', async test => {
  const lines = liveLines(payments, noon, '⠹', { paint: painter(false), columns: 80 })

  test.same(
    lines.map(line => line.trimEnd()),
    [
      'payments  c0ffee1 "Raise limits"  cluster/prod-eu',
      '  ✔ rendering       24 objects, 2 changed                         0.1 s',
      '  ✔ preflight       dry-run 24, images present                    0.4 s',
      '  ⠹ wave 1 of 3     wave 1 of 3, api 2 of 3 ready                 8.0 s',
    ],
  )
  for (const line of lines) test.ok([...line].length <= 80)
})

t.test('steps: those of one kind are one line, the one that broke is marked, the end is left out', async test => {
  const moves = ['Seen', 'Preflight', 'Preflight', 'Syncing', 'Judged', 'RollingBack', 'RollingBack', 'Ended'].map(
    (step, at) => ({ at: ago(20 - at), step, message: `${step} wave 1 of 2: ${at}` }),
  )
  const judged = attempt({
    moves,
    outcome: 'RolledBack',
    verdict: rolledBack().attempt!.verdict,
    times: { ...attempt().times, ended: ago(13) },
  })

  test.same(
    stepsOf(judged).map(({ label, until, broke }) => [label, until, broke]),
    [
      ['seen', ago(19), false],
      ['preflight', ago(17), false],
      ['wave 1 of 2', ago(16), false],
      ['judged', ago(15), true],
      ['rolling back', ago(13), false],
    ],
  )
  test.same(
    stepsOf({ ...judged, verdict: null, outcome: 'Superseded' }).filter(({ broke }) => broke),
    [],
  )
  test.equal(stepsOf(attempt({ moves: moves.slice(0, 2), outcome: 'Held' })).at(-1)?.broke, true)
})

t.test('ages, durations, cuts, wraps and tables', async test => {
  test.same(
    [0, 59, 60, 3599, 3600, 172_799, 172_800].map(seconds => age(ago(seconds), noon)),
    ['0s', '59s', '1m', '59m', '1h', '47h', '2d'],
  )
  test.equal(age('', noon), '')
  test.same([100, 9940, 9960, 61_000, 3_700_000, Number.NaN].map(duration), [
    '0.1 s',
    '9.9 s',
    '10 s',
    '1 min 1 s',
    '1 h 1 min',
    '',
  ])
  test.same(['250ms', '90s', '10m', '1h', '5'].map(durationOf), [250, 90_000, 600_000, 3_600_000, 5000])
  test.equal(cut('one\n  two three', 9), 'one two …')
  test.equal(wrapped('a bc def', 5, '  '), '  a\n  bc\n  def')
  test.equal(table(['A', 'B'], [['x', 'a long last cell']], painter(false), 12), 'A   B\nx   a long …\n')
  test.equal(painter(true)('red', 'x'), '\u001b[31mx\u001b[0m')
})
