import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { end, keep, layoutOf, makeLayout } from '../../controller/cli/processes.js'
import { type Look, missingParts, patience, untilReady, type Wait } from '../../controller/cli/ready.js'

const second = 1000
const look = (at: number, more: Partial<Look> = {}): Look => ({
  at: at * second,
  missing: null,
  logBytes: 0,
  workedS: 0,
  pids: { controller: [1] },
  over: [],
  ...more,
})

/** What comes of looks one after the other: how long is waited, and why no longer. */
function waited(looks: readonly Look[]): string {
  let wait: Wait | null = null
  for (const each of looks) {
    const next = patience(wait, each)
    if ('gaveUp' in next) return `${each.at / second} s: ${next.gaveUp}`
    wait = next
  }
  return 'waits'
}

t.test('how long one waits for what was started', async t => {
  const every = (until: number, more: (at: number) => Partial<Look>) =>
    Array.from({ length: until + 1 }, (_, at) => look(at, more(at)))
  const table: readonly [string, readonly Look[], string][] = [
    ['nothing moves', every(100, () => ({})), '61 s: nothing has moved for 60 s: waiting for the controller to answer'],
    [
      'at rest, not ready',
      every(200, at => ({ missing: ['nodes'], workedS: at / 100 })),
      '61 s: nothing has moved for 60 s: waiting for nodes',
    ],
    ['a slow machine works on it', every(500, at => ({ workedS: at / 20 })), 'waits'],
    ['it writes what it does', every(500, at => ({ logBytes: Math.floor(at / 50) })), 'waits'],
    ['one part after the other', every(100, at => ({ missing: at < 50 ? null : ['lease', 'nodes'] })), 'waits'],
    [
      'the last of it stands still',
      every(200, at => ({ missing: at < 50 ? null : ['nodes'] })),
      '111 s: nothing has moved for 60 s: waiting for nodes',
    ],
    ['for ever', every(700, at => ({ logBytes: at })), '601 s: not ready within 10 min: waiting for the controller to answer'],
    [
      'one has ended for good',
      [look(0), look(3, { over: ['runtime'] })],
      '3 s: runtime has ended, and starting it again would not help',
    ],
    [
      'one ends again and again',
      [look(0, { pids: { nats: [1, 2, 3, 4] } }), look(9, { pids: { nats: [1, 2, 3, 4, 5] } })],
      '9 s: nats was started 4 times and ended each time',
    ],
  ]
  for (const [what, looks, expected] of table) t.equal(waited(looks), expected, what)
  t.same(missingParts('[+] nats ok\n[-] lease failed: reason withheld\n[-] git failed\nnot ready\n'), ['lease'])
  t.same(missingParts('ok\n'), [])
})

const keeper = fileURLToPath(new URL('../../../runtime/keep.sh', import.meta.url))

function machine(t: Test, command: string) {
  const layout = layoutOf(mkdtempSync(join(tmpdir(), 'slipway-ready-')))
  makeLayout(layout)
  const names = ['nats', 'runtime', 'controller']
  for (const name of names)
    keep(layout, keeper, { name, command: '/bin/sh', args: ['-c', command], env: { PATH: '/bin:/usr/bin' } })
  t.teardown(async () => {
    for (const name of names) await end(layout, name, 2_000)
    rmSync(layout.state, { recursive: true, force: true })
  })
  const token = join(layout.keys, 'admin.token')
  writeFileSync(token, 'token')
  return { layout, token }
}

t.test('it says what is waited for until it is ready', async t => {
  const { layout, token } = machine(t, 'exec sleep 600')
  let asked = 0
  const server = createServer((_, answer) => {
    asked += 1
    answer.end(asked < 30 ? '[+] nats ok\n[-] nodes failed\n[-] git failed\nnot ready\n' : '[-] git failed\nnot ready\n')
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  const said: string[] = []

  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await untilReady(layout, url, token, line => said.push(line.trim()), AbortSignal.timeout(60_000))

  t.match(said, [/^waiting for nodes \(\d+ s\)$/])
})

t.test('what cannot be helped is not waited for, and its log tells why', async t => {
  const { layout, token } = machine(t, 'echo no such port; exit 78')

  const waiting = untilReady(layout, 'http://127.0.0.1:1', token, () => {}, AbortSignal.timeout(60_000))

  await t.rejects(waiting, { message: /has ended, and starting it again would not help\n.*ends with:\nno such port/s })
})
