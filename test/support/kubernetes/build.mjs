#!/usr/bin/env node
// Builds the Kubernetes servers that tests run on, once, with Go, into a cache outside the checkout. Plain JavaScript: set-up calls it
// before anything is compiled. Prints the path of the program that is asked for (`servers`, or `kubelet` for tests with containers); exit
// code 3 where there is no Go.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
/** Its folder of sources, and what it is called in the cache. */
const parts = { servers: 'kubernetes', kubelet: 'kubelet' }
export const kubernetesVersion = '1.36.3'

/** Named by what it is built from: another version lies beside it. */
export function programPath(env = process.env, part = 'servers') {
  const hash = createHash('sha256')
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(here, part, file)))
  const cache = join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway')
  return join(cache, `${parts[part]}-${kubernetesVersion}-${hash.digest('hex').slice(0, 8)}`, parts[part])
}

export function goPath(env = process.env) {
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/local/go/bin']
  return folders.map(folder => join(folder, 'go')).find(file => existsSync(file))
}

/** The program's path; '' where there is no Go. Throws with Go's own words where it cannot be built. */
export function buildServers(env = process.env, say = console.error, part = 'servers') {
  const program = programPath(env, part)
  if (existsSync(program)) return program
  const go = goPath(env)
  if (go === undefined) return ''
  mkdirSync(dirname(program), { recursive: true })
  return inTurn(join(dirname(program), 'building'), () => {
    if (existsSync(program)) return program
    say(`building the Kubernetes ${kubernetesVersion} ${part} for tests with Go (once; some minutes on two cores)`)
    const fresh = `${program}.${process.pid}`
    const ended = spawnSync(go, ['build', '-ldflags', flags(), '-o', fresh, '.'], {
      cwd: join(here, part),
      env: { ...env, GOFLAGS: '-mod=readonly -buildvcs=false' },
      encoding: 'utf8',
    })
    if (ended.status !== 0) throw new Error(`go build of the Kubernetes ${part} failed: ${ended.stderr || ended.error?.message}`)
    renameSync(fresh, program)
    return program
  })
}

/** The version that the API server says it is; without it, it says 0.0.0 and refuses what its own clients ask. */
function flags() {
  const [major, minor] = kubernetesVersion.split('.')
  const named = { gitVersion: `v${kubernetesVersion}`, gitMajor: major, gitMinor: minor }
  return [
    '-s',
    '-w',
    ...Object.entries(named).flatMap(([name, value]) => ['-X', `k8s.io/component-base/version.${name}=${value}`]),
  ].join(' ')
}

/** Two test files at once build it once. A lock older than any build is of one that was ended. */
function inTurn(lock, work) {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    try {
      mkdirSync(lock)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 20 * 60_000)
        rmSync(lock, { recursive: true, force: true })
      Atomics.wait(pause, 0, 0, 500)
    }
  }
  try {
    return work()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const program = buildServers(process.env, console.error, process.argv[2])
  if (program === '') process.exit(3)
  console.log(program)
}
