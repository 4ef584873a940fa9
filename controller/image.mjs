// npm run image -- [--tag slipway:0.1.0] [--base node:22-bookworm-slim] [--out FOLDER]: the controller and the command line as an image,
// for charts/slipway. Puts together what was compiled and the packages that it runs with, and has the engine build it.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { values } = parseArgs({
  options: { tag: { type: 'string', default: `slipway:${version}` }, base: { type: 'string' }, out: { type: 'string' } },
})

/** Tests and examples stay behind. */
const compiled = ['controller', 'renderer', 'runtime', 'lean', 'ui']

function gather(folder) {
  mkdirSync(folder, { recursive: true })
  for (const name of ['package.json', 'controller/Dockerfile'])
    cpSync(join(root, name), join(folder, name.replace('controller/', '')))
  for (const name of compiled) cpSync(join(root, 'build', name), join(folder, 'build', name), { recursive: true })
  for (const path of packages()) cpSync(path, join(folder, relative(root, path)), { recursive: true })
}

/** Those that it runs with, as they are installed here: what was tested is what is packed, and no registry is asked. */
function packages() {
  const listed = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: root, encoding: 'utf8' })
  return listed.trim().split('\n').slice(1)
}

const folder = values.out ?? mkdtempSync(join(tmpdir(), 'slipway-image-'))
try {
  gather(folder)
  if (values.out === undefined) {
    const base = values.base === undefined ? [] : ['--build-arg', `BASE=${values.base}`]
    execFileSync('docker', ['build', '--tag', values.tag, ...base, folder], { stdio: 'inherit' })
    console.log(`\n${values.tag} is built. Push it where the cluster can pull it, then:\n`)
    console.log(`  helm install slipway charts/slipway -n slipway --create-namespace --set image.repository=...`)
  }
} finally {
  if (values.out === undefined) rmSync(folder, { recursive: true, force: true })
}
