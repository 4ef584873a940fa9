#!/usr/bin/env node
// The visible set-up of a fresh checkout: npm packages and the system programs that Slipway, its demo and its tests need.
// Idempotent; installs only what is missing, and says what and why. Plain JavaScript: it runs before anything is installed.
//
//   node runtime/setup.mjs [--no-install] [--tests] [--quiet] [--only=packages]
//
//   --no-install      only checks; exit code 1 where something is missing
//   --tests           also what the tests need beside the product (a Chromium, a registry)
//   --quiet           says nothing while all is well
//   --only=packages   npm packages only
import { execFile, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const minimumNode = [20, 20]
const goPackage = 'github.com/nats-io/nats-server/v2@v2.12.12'
const options = readOptions(process.argv.slice(2))
const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin` }

/** Each: what it is for, whether it is there, and the Debian packages that bring it. */
const programs = [
  {
    name: 'container engine',
    why: 'runs the containers',
    isThere: async () => (await engineAnswers()) || (onPath('dockerd') && isRoot()),
    packages: ['docker.io', 'iptables'],
    elsewhere: 'Docker 20.10 or newer, or Podman with its socket',
    /** The package's own service was kept from starting, and only root may start an engine of ours. */
    stillMissing: () =>
      onPath('dockerd') &&
      'dockerd is installed, but only root may start it. Either run this as root, or let its own service run and join its group: ' +
        'sudo systemctl enable --now docker && sudo usermod -aG docker "$USER", then log in again',
  },
  {
    name: 'iptables',
    why: 'the container engine makes its networks with it',
    isThere: async () => (await engineAnswers()) || onPath('iptables'),
    packages: ['iptables'],
    elsewhere: 'iptables',
  },
  {
    name: 'git',
    why: 'serves the demo repository and reads local ones',
    isThere: async () => onPath('git'),
    packages: ['git'],
    elsewhere: 'git 2.30 or newer',
  },
  {
    name: 'haproxy',
    why: 'balances and switches the traffic',
    isThere: async () => onPath('haproxy'),
    packages: ['haproxy'],
    elsewhere: 'HAProxy 2.4 or newer, or the image docker.io/library/haproxy:2.8-alpine on the engine',
  },
  {
    name: 'nats-server',
    why: 'carries what controller and nodes say to each other',
    isThere: async () => (await natsIsThere()) && !(await canBuildBetterNats()),
    build: buildNats,
    packages: ['nats-server'],
    elsewhere: 'nats-server 2.10 or newer',
  },
  {
    name: 'ip',
    why: 'makes the Service addresses of a node',
    isThere: async () => onPath('ip'),
    packages: ['iproute2'],
    elsewhere: 'iproute2',
  },
  {
    name: 'static busybox',
    why: 'is in the images of demo and tests, made on the spot',
    isThere: async () => ['/bin/busybox', '/usr/bin/busybox'].some(isStatic),
    packages: ['busybox-static'],
    elsewhere: 'a statically linked busybox at /bin/busybox',
  },
]

const testPrograms = [
  {
    name: 'chromium',
    why: 'shows the page in its tests',
    isThere: async () => ['chromium', 'chromium-browser', 'google-chrome'].some(onPath),
    packages: ['chromium'],
    elsewhere: 'Chromium',
    optional: true,
  },
  {
    name: 'image registry',
    why: 'serves images with a password in tests of pulling',
    isThere: async () => ['docker-registry', 'skopeo'].every(onPath),
    packages: ['docker-registry', 'skopeo'],
    elsewhere: 'docker-registry (the distribution registry) and skopeo',
    optional: true,
  },
  {
    name: 'Kubernetes servers',
    why: 'are what tests of clusters run on, built with Go into ~/.cache/slipway',
    isThere: async () => existsSync((await kubernetes()).programPath(env)),
    build: async () => {
      try {
        ;(await kubernetes()).buildServers(env, console.log)
      } catch (error) {
        console.log(`setup: ${error.message}`)
      }
    },
    packages: [],
    elsewhere: 'Go 1.26 or newer, which builds them once (about three minutes)',
    optional: true,
  },
  {
    name: 'kubelet',
    why: 'runs real containers in tests of clusters, built with Go into ~/.cache/slipway',
    isThere: async () => existsSync((await kubernetes()).programPath(env, 'kubelet')),
    build: async () => {
      try {
        ;(await kubernetes()).buildServers(env, console.log, 'kubelet')
      } catch (error) {
        console.log(`setup: ${error.message}`)
      }
    },
    packages: [],
    elsewhere: 'Go 1.26 or newer, which builds it once',
    optional: true,
  },
  {
    name: 'CNI plugins',
    why: 'give containers of a cluster their networks in tests of it; containerd comes with the engine',
    isThere: async () => ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'].some(folder => existsSync(join(folder, 'ptp'))),
    packages: ['containernetworking-plugins'],
    elsewhere: 'containerd, runc and the CNI plugins',
    optional: true,
  },
]

/** Only where tests are asked for: an installed Slipway has none. */
function kubernetes() {
  return import('../test/support/kubernetes/build.mjs')
}

async function main() {
  checkNode()
  const packagesAreThere = await npmPackages()
  if (options.onlyPackages) return packagesAreThere ? 0 : 1
  const missing = await missingOf(options.tests ? [...programs, ...testPrograms] : programs)
  if (missing.length === 0) {
    say('setup: everything is there')
    return packagesAreThere ? 0 : 1
  }
  if (!options.install) return report(missing, packagesAreThere)
  return installPrograms(missing)
}

function readOptions(args) {
  const known = ['--no-install', '--tests', '--quiet', '--only=packages']
  const unknown = args.find(arg => !known.includes(arg))
  if (unknown !== undefined) {
    console.error(`setup: unknown option ${unknown}; there are ${known.join(', ')}`)
    process.exit(2)
  }
  return {
    install: !args.includes('--no-install'),
    tests: args.includes('--tests'),
    quiet: args.includes('--quiet'),
    onlyPackages: args.includes('--only=packages'),
  }
}

function say(line) {
  if (!options.quiet) console.log(line)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > minimumNode[0] || (major === minimumNode[0] && minor >= minimumNode[1])) return
  throw new Error(`Node ${process.versions.node} is too old: Node ${minimumNode.join('.')} or newer is needed`)
}

/** True where node_modules is what the lock file says, afterwards. */
async function npmPackages() {
  const stamp = join(root, 'node_modules/.slipway-lock')
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return true
  if (isInstalled()) {
    writeFileSync(stamp, lock)
    return true
  }
  if (!options.install) {
    console.log('setup: the npm packages are missing or older than package-lock.json: run npm ci')
    return false
  }
  console.log('setup: installing the npm packages that package-lock.json names (npm ci)')
  await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root })
  writeFileSync(stamp, lock)
  return true
}

/** npm's own record of what it installed has every package of the lock file in its version (optional ones may be left out). */
function isInstalled() {
  const record = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages
  const wanted = Object.entries(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages).filter(
    ([path]) => path !== '',
  )
  const isRight = ([path, { version, optional, devOptional }]) =>
    installed[path]?.version === version || (!(path in installed) && (optional || devOptional))
  return wanted.every(isRight) && Object.keys(installed).every(path => wanted.some(([name]) => name === path))
}

async function missingOf(wanted) {
  const missing = []
  for (const program of wanted) if (!(await program.isThere())) missing.push(program)
  return missing
}

function report(missing, packagesAreThere) {
  for (const { name, why, elsewhere, optional } of missing)
    console.log(`setup: missing: ${name} (${why}): ${elsewhere}${optional ? '; optional' : ''}`)
  return packagesAreThere && missing.every(({ optional }) => optional) ? 0 : 1
}

async function installPrograms(missing) {
  const builds = missing.filter(({ build }) => build !== undefined && onPath('go'))
  const packages = [...new Set(missing.filter(program => !builds.includes(program)).flatMap(program => program.packages))]
  const mayApt = existsSync('/etc/debian_version') && onPath('apt-get') && (isRoot() || onPath('sudo'))
  if (packages.length > 0 && !mayApt) {
    console.log('setup: this script installs system programs on Debian and Ubuntu only, as root or with sudo. Please install:')
    for (const { name, why, elsewhere, packages } of missing)
      console.log(`  ${elsewhere} (${name}: ${why}; on Debian: ${packages.join(' ')})`)
    return 1
  }
  console.log('setup: still needed:')
  for (const { name, why, packages } of missing)
    console.log(`  ${name.padEnd(18)} ${why}${packages.length ? ` (${packages.join(', ')})` : ''}`)
  if (!(await isAgreed(packages, builds))) return 1
  for (const { build } of builds) await build()
  if (packages.length > 0) await aptInstall(packages, missing)
  return verdict(missing)
}

async function isAgreed(packages, builds) {
  const what = [
    packages.length > 0 && `apt-get install ${packages.join(' ')}`,
    builds.length > 0 && `build ${builds.map(({ name }) => name).join(' and ')} with Go into ~/.cache/slipway`,
  ]
    .filter(Boolean)
    .join(', and ')
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    console.log(`setup: ${what}`)
    return true
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(`setup: ${what}? [Y/n] `)
  terminal.close()
  if (/^\s*(y|yes)?\s*$/i.test(answer)) return true
  console.log('setup: nothing was installed')
  return false
}

async function verdict(wanted) {
  const missing = await missingOf(wanted)
  if (missing.length === 0) say('setup: everything is there')
  for (const { name, elsewhere, stillMissing, optional } of missing)
    console.log(
      `setup: still missing: ${name}: ${stillMissing?.() || elsewhere}${optional ? ' (optional: its tests will say so)' : ''}`,
    )
  return missing.every(({ optional }) => optional) ? 0 : 1
}

// --- apt ---

/** The optional ones apart, so that one that cannot be had keeps nothing else from being installed. */
async function aptInstall(packages, missing) {
  const optional = missing.filter(program => program.optional).flatMap(program => program.packages)
  const needed = packages.filter(name => !optional.includes(name))
  const servicesBefore = services()
  await withoutServices(async () => {
    await apt(['update', '-qq'])
    if (needed.length > 0) await apt(['install', '-y', '-qq', '--no-install-recommends', ...needed])
    for (const name of optional) await apt(['install', '-y', '-qq', '--no-install-recommends', name]).catch(() => {})
  })
  await keepFromBoot(servicesBefore)
}

function apt(args) {
  return asRoot('apt-get', ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0', ...args])
}

const policy = '/usr/sbin/policy-rc.d'

/** Debian asks policy-rc.d whether a package may start its service: ours says no, only where there is none, and never stays. */
async function withoutServices(work) {
  if (existsSync(policy)) return work()
  const folder = mkdtempSync(join(tmpdir(), 'slipway-setup-'))
  writeFileSync(join(folder, 'policy-rc.d'), '#!/bin/sh\n# Written by Slipway set-up while it installs packages.\nexit 101\n')
  const onSignal = () => {}
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal)
  try {
    await asRoot('install', ['-m', '755', join(folder, 'policy-rc.d'), policy])
    return await work()
  } finally {
    await asRoot('rm', ['-f', policy])
    rmSync(folder, { recursive: true, force: true })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, onSignal)
  }
}

const ourServices = [
  'docker.service',
  'docker.socket',
  'containerd.service',
  'haproxy.service',
  'nats-server.service',
  'docker-registry.service',
]

/** Services of these packages that systemd knows already: somebody's own, left as they are. */
function services() {
  const folders = ['/lib/systemd/system', '/usr/lib/systemd/system', '/etc/systemd/system']
  return ourServices.filter(name => folders.some(folder => existsSync(join(folder, name))))
}

/** Slipway starts these programs itself, on its own files: the packages' services are not to start at the next boot either. */
async function keepFromBoot(before) {
  const fresh = services().filter(name => !before.includes(name))
  if (fresh.length === 0 || !existsSync('/run/systemd/system')) return
  await asRoot('systemctl', ['disable', '--quiet', ...fresh]).catch(() => {})
}

function asRoot(command, args) {
  const rootEnv = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  if (isRoot()) return run(command, args, { env: { ...env, ...rootEnv } })
  const ask = process.stdin.isTTY ? [] : ['-n']
  return run('sudo', [...ask, 'env', ...Object.entries(rootEnv).map(([name, value]) => `${name}=${value}`), command, ...args])
}

/** Output goes to the terminal, or with --quiet is shown only where it fails. */
function run(command, args, more = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['inherit', options.quiet ? 'pipe' : 'inherit', 'inherit'], ...more })
    let said = ''
    child.stdout?.on('data', data => (said += data))
    child.once('error', error => reject(new Error(`${command} could not be started: ${error.message}`)))
    child.once('close', code => {
      if (code === 0) return resolve()
      process.stdout.write(said)
      reject(new Error(`"${command} ${args.join(' ')}" ended with exit code ${code}`))
    })
  })
}

// --- what is there ---

function isRoot() {
  return process.getuid?.() === 0
}

function pathOf(name, folders = env.PATH.split(':')) {
  return folders
    .filter(folder => folder.startsWith('/'))
    .map(folder => join(folder, name))
    .find(path => existsSync(path))
}

function onPath(name) {
  return pathOf(name) !== undefined
}

/** No program interpreter among the ELF file's program headers. */
function isStatic(path) {
  if (!existsSync(path)) return false
  const head = Buffer.alloc(4096)
  const file = openSync(path, 'r')
  readSync(file, head, 0, head.length, 0)
  closeSync(file)
  if (head.toString('latin1', 1, 4) !== 'ELF' || head[4] !== 2) return false
  const [start, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)]
  const types = Array.from({ length: count }, (_, i) => start + i * size)
    .filter(at => at + 4 <= head.length)
    .map(at => head.readUInt32LE(at))
  return !types.includes(3)
}

/** A named engine counts as there: whether it answers is for `slipway check`. */
async function engineAnswers() {
  if (env.DOCKER_HOST) return true
  const run = env.XDG_RUNTIME_DIR ?? ''
  const home = homedir()
  const sockets = [
    '/var/run/docker.sock',
    join(home, '.docker/run/docker.sock'),
    run && join(run, 'docker.sock'),
    '/run/podman/podman.sock',
    run && join(run, 'podman/podman.sock'),
  ]
  for (const socket of sockets) if (socket !== '' && existsSync(socket) && (await answersAt(socket))) return true
  return false
}

function answersAt(socketPath) {
  return new Promise(resolve => {
    const socket = connect({ path: socketPath, timeout: 3_000 }, () => socket.end('GET /_ping HTTP/1.0\r\n\r\n'))
    socket.once('data', data => resolve(/^HTTP\/1\.[01] 200/.test(String(data))))
    for (const end of ['error', 'timeout', 'close']) socket.once(end, () => resolve(socket.destroy() && false))
  })
}

function goFolders() {
  return [programCache(), env.GOBIN ?? (env.GOPATH ? join(env.GOPATH, 'bin') : join(homedir(), 'go/bin'))]
}

function programCache() {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway/bin')
}

/** `[2, 9]` of each nats-server that is found. */
function natsVersions() {
  const paths = [pathOf('nats-server'), pathOf('nats-server', goFolders())].filter(path => path !== undefined)
  return Promise.all(paths.map(versionOf))
}

function versionOf(path) {
  return new Promise(resolve => {
    execFile(path, ['--version'], { timeout: 5_000 }, (_error, stdout) =>
      resolve((/v?(\d+)\.(\d+)\./.exec(stdout ?? '') ?? ['', 0, 0]).slice(1).map(Number)),
    )
  })
}

async function natsIsThere() {
  return (await natsVersions()).some(([major]) => major >= 2)
}

let buildFailed = false

/** Debian's 2.9 does not sync each write: with Go at hand a newer one is worth its 35 s. */
async function canBuildBetterNats() {
  const isNew = ([major, minor]) => major > 2 || (major === 2 && minor >= 10)
  return !buildFailed && onPath('go') && !(await natsVersions()).some(isNew)
}

/** With Go's own settings for proxy and checksums. Where it fails, Debian's does, with a warning at the start. */
async function buildNats() {
  console.log('setup: building nats-server with Go (once, about 35 s)')
  mkdirSync(programCache(), { recursive: true })
  try {
    execFileSync(pathOf('go'), ['install', goPackage], {
      env: { ...env, GOBIN: programCache(), CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
  } catch (error) {
    buildFailed = true
    console.log(
      `setup: Go could not build it: ${String(error.stderr ?? error.message)
        .trim()
        .split('\n')
        .at(-1)}`,
    )
    if (!onPath('nats-server')) await aptInstall(['nats-server'], [])
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`setup: ${error.message}`)
  process.exitCode = 1
}
