import { execFileSync } from 'node:child_process'
import t from 'tap'
import { optimizedLater } from '../../controller/render/late.js'

t.test('each Node is told in the words of its V8 to optimize later', async t => {
  const cases: readonly [string, readonly string[]][] = [
    ['20.20.2', ['--interrupt-budget=2027520']],
    ['21.7.3', []],
    ['22.23.3', ['--invocation-count-for-turbofan=90000']],
    ['24.21.0', ['--invocation-count-for-turbofan=90000']],
  ]
  for (const [node, flags] of cases) t.same(optimizedLater(30, node), flags, node)
})

t.test('the Node that runs knows the flag', async t => {
  t.equal(execFileSync(process.execPath, [...optimizedLater(300), '-p', '1'], { encoding: 'utf8' }), '1\n')
})
