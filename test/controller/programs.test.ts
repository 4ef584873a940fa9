// Which file a process is started from.
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { programOf } from '../../controller/cli/programs.js'

const rows: readonly (readonly [behaviour: string, files: Readonly<Record<string, number>>, expected: string])[] = [
  ['without a bundle, what the compiler made', {}, 'runtime/main.js'],
  ['a bundle that is newer than all it was made of', { 'lean/runtime.cjs': 9 }, 'lean/runtime.cjs'],
  ['compiled since: the bundle is stale', { 'lean/runtime.cjs': 9, 'renderer/yaml/load.js': 10 }, 'runtime/main.js'],
  ['the page is no part of it', { 'lean/runtime.cjs': 9, 'controller/ui/app.js': 10 }, 'lean/runtime.cjs'],
]

for (const [behaviour, files, expected] of rows)
  t.test(behaviour, async t => {
    const compiled = { 'runtime/main.js': 1, 'controller/main.js': 1, 'renderer/index.js': 1 }
    const build = t.testdir()
    for (const [file, at] of Object.entries({ ...compiled, ...files })) {
      mkdirSync(dirname(join(build, file)), { recursive: true })
      writeFileSync(join(build, file), '')
      utimesSync(join(build, file), at, at)
    }

    const program = programOf(build, 'runtime')

    t.equal(program, join(build, expected))
  })
