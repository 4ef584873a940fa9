// `npm run fuzz:renderer [seed] [count]`: Handlebars beside its package, then every part of the renderer that is compared with Go, one after
// another, where there is a Go toolchain.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const handlebars = spawnSync(process.execPath, [join(here, 'handlebars/main.js'), ...process.argv.slice(2)], { stdio: 'inherit' })
const parts = ['functions', 'templates', 'pipelines'].map(part => join(here, part, 'main.js')).filter(existsSync)

if (spawnSync('go', ['version']).status !== 0) console.log('fuzz:renderer: no Go toolchain on PATH; nothing was compared with Go')
else {
  const failed = parts.filter(
    part => spawnSync(process.execPath, [part, ...process.argv.slice(2)], { stdio: 'inherit' }).status !== 0,
  )
  process.exitCode = failed.length > 0 ? 1 : 0
}
if (handlebars.status !== 0) process.exitCode = 1
