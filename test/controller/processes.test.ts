import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
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

  rmSync(join(layout.run, 'sleeper.keeper.pid'))
  t.equal(keep(layout, keeper, sleeper), 'running')
  rmSync(join(layout.run, 'sleeper.pid'))
  t.equal(keep(layout, keeper, sleeper), 'running', 'its keeper is found without a file')
  writeFileSync(join(layout.run, 'sleeper.pid'), String(pid))

  writeFileSync(join(layout.run, 'other.pid'), String(pid))
  t.equal(pidOf(layout, 'other'), 0)
  t.equal(await end(layout, 'sleeper', 2_000), true)
  t.equal(pidOf(layout, 'sleeper'), 0)
})

test('a process whose pid file is broken is found: it is not started twice, and it is ended', async t => {
  const layout = layoutOf(mkdtempSync(join(tmpdir(), 'slipway-kept-')))
  makeLayout(layout)
  t.teardown(() => rmSync(layout.state, { recursive: true, force: true }))
  const tail = { name: 'tail', command: 'tail', args: ['-f', '/dev/null'], env: { PATH: process.env.PATH ?? '' } }
  t.teardown(() => end(layout, 'tail', 2_000))
  keep(layout, keeper, tail)
  await until('it is noted', () => /^\d/.test(readFileSync(join(layout.run, 'tail.pid'), 'utf8')))
  const pid = await until('it runs', () => pidOf(layout, 'tail'))

  for (const content of ['', 'garbage']) {
    for (const file of ['tail.pid', 'tail.keeper.pid']) writeFileSync(join(layout.run, file), content)
    t.equal(pidOf(layout, 'tail'), pid)
    t.equal(keep(layout, keeper, tail), 'running')
  }
  for (const file of ['tail.pid', 'tail.keeper.pid']) writeFileSync(join(layout.run, file), 'garbage')
  t.equal(await end(layout, 'tail', 2_000), true)
  t.equal(commandOf(pid), '')
})

function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** '' where it has ended meanwhile. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

test('on a full disk the pid file tells of the process that was started again', {
  skip: !mayMount() && 'needs root',
}, async t => {
  const disk = mkdtempSync(join(tmpdir(), 'slipway-full-'))
  t.teardown(() => rmSync(disk, { recursive: true, force: true }))
  const script = 'mount -t tmpfs -o size=64k tmpfs "$1" && exec /bin/sh "$2" "$1/pid" "$1/log" sleep 600'
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', disk, keeper], { stdio: 'ignore' })
  const seen = (name: string) => join('/proc', String(child.pid), 'root', disk, name)
  const noted = () => Number(readFileSync(seen('pid'), 'utf8').trim())
  const sleeper = () =>
    readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
      .split(' ')
      .filter(pid => pid.trim() !== '')
      .map(Number)
      .find(pid => commandOf(pid) === ['sleep', '600', ''].join('\0'))
  const first = await until('it runs', () => (noted() === sleeper() ? noted() : 0))
  t.teardown(() => {
    const last = sleeper() ?? first
    child.kill('SIGTERM')
    process.kill(last, 'SIGKILL')
  })

  t.throws(() => {
    for (;;) appendFileSync(seen('filler'), Buffer.alloc(4096))
  }, /ENOSPC/)
  process.kill(first, 'SIGKILL')
  const second = await until('it was started again', () => (sleeper() !== first ? sleeper() : 0))

  await until('the file tells of it', () => noted() === second)
})
