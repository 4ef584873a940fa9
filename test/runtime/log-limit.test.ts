import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { turnOver } from '../../runtime/log-limit.js'

t.test('a log that has grown too long is kept beside once, and begins anew', async t => {
  const path = join(t.testdir({}), 'runtime.log')
  const file = openSync(path, 'a', 0o600)
  t.teardown(() => closeSync(file))
  const told = () => [readFileSync(path, 'utf8'), readFileSync(`${path}.1`, 'utf8')]

  writeSync(file, 'first line\n')
  t.equal(turnOver(file, 100), false)
  t.equal(turnOver(file, 5), true)
  writeSync(file, 'second\n')
  t.same(told(), ['second\n', 'first line\n'])
  t.equal(statSync(`${path}.1`).mode & 0o777, 0o600)

  t.equal(turnOver(file, 5), true)
  writeSync(file, 'third\n')
  t.same(told(), ['third\n', 'second\n'])
})

t.test('what is no file is left alone', async t => {
  const directory = t.testdir({})
  const file = openSync('/dev/null', 'a')
  t.teardown(() => closeSync(file))

  t.equal(turnOver(file, 0), false)
  t.equal(turnOver(9_999, 0), false)
  t.same(readdirSync(directory), [])
})
