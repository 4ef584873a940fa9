// `npm run fuzz:renderer [seed] [count]`: every part of the renderer that is compared with Go, one after another. Needs a Go toolchain.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const parts = ['functions', 'templates', 'pipelines'].map(part => join(here, part, 'main.js')).filter(existsSync)

if (spawnSync('go', ['version']).status !== 0) console.log('fuzz:renderer: no Go toolchain on PATH; nothing was compared')
else {
  const failed = parts.filter(
    part => spawnSync(process.execPath, [part, ...process.argv.slice(2)], { stdio: 'inherit' }).status !== 0,
  )
  process.exitCode = failed.length > 0 ? 1 : 0
}
