import { execFileSync } from 'node:child_process'
import t from 'tap'
import { optimizedLater } from '../../controller/render/late.js'

t.test('each Node is told in the words of its V8 to optimize later', async t => {
  const later = ['--invocation-count-for-turbofan=90000', '--invocation-count-for-maglev=12000']
  const cases: readonly [string, readonly string[]][] = [
    ['20.20.2', ['--interrupt-budget=2027520']],
    ['21.7.3', []],
    ['22.23.3', later],
    ['24.21.0', later],
  ]
  for (const [node, flags] of cases) t.same(optimizedLater(30, node), flags, node)
})

t.test('the Node that runs heeds it, until it is told to optimize as usual', async t => {
  const program = `
    const { optimizeAsUsual } = await import(${JSON.stringify(new URL('../../controller/render/late.js', import.meta.url).href)})
    const isOptimized = work => {
      for (let at = 0; at < 20_000; at++) work(at)
      return (%GetOptimizationStatus(work) & 16) !== 0
    }
    const before = isOptimized(at => at % 7)
    optimizeAsUsual()
    console.log(before, isOptimized(at => at % 5))
  `
  const flags = [...optimizedLater(100), '--allow-natives-syntax', '--no-concurrent-recompilation', '--input-type=module']
  const [before, after] = execFileSync(process.execPath, [...flags, '-e', program], { encoding: 'utf8' })
    .trim()
    .split(' ')

  t.equal(before, 'false')
  t.equal(after, 'true')
})
