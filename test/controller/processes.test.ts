import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { end, keep, layoutOf, makeLayout, pidOf } from '../../controller/cli/processes.js'
import { until } from '../support/controller.js'

const keeper = fileURLToPath(new URL('../../../runtime/keep.sh', import.meta.url))

test('a kept process is known again whatever the clock says, and another of its number is not', async t => {
  const layout = layoutOf(mkdtempSync(join(tmpdir(), 'slipway-kept-')))
  makeLayout(layout)
  t.teardown(() => rmSync(layout.state, { recursive: true, force: true }))
  const sleeper = { name: 'sleeper', command: 'sleep', args: ['600'], env: { PATH: process.env.PATH ?? '' } }
  t.teardown(() => end(layout, 'sleeper', 2_000))
  keep(layout, keeper, sleeper)
  const pid = await until('it runs', () => pidOf(layout, 'sleeper'))

  for (const file of ['sleeper.pid', 'sleeper.keeper.pid']) utimesSync(join(layout.run, file), 1, 1)
  t.equal(pidOf(layout, 'sleeper'), pid)
  t.equal(keep(layout, keeper, sleeper), 'running')

  writeFileSync(join(layout.run, 'other.pid'), String(pid))
  t.equal(pidOf(layout, 'other'), 0)
  t.equal(await end(layout, 'sleeper', 2_000), true)
  t.equal(pidOf(layout, 'sleeper'), 0)
})
