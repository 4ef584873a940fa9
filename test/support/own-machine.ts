// A network and mounts of their own for a test file, so that it may end engines and delete links without anybody noticing.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const mark = 'SLIPWAY_TEST_OWN_MACHINE'
const dockerds = ['/usr/sbin/dockerd', '/usr/bin/dockerd', '/usr/local/bin/dockerd']

/**
 * Runs the file once more within namespaces of its own, where `tests` is called; skipped where that is not allowed. `file`: the test's
 * own `import.meta.url`.
 */
export async function ownMachine(t: Test, file: string, tests: () => Promise<void>): Promise<void> {
  if (process.env[mark] === '1') {
    execFileSync('ip', ['link', 'set', 'lo', 'up'])
    showOwnLinks()
    return tests()
  }
  const path = fileURLToPath(file)
  const skip = !isPossible() && 'needs root, dockerd and namespaces'
  const args = ['--net', '--mount', process.execPath, '--enable-source-maps', path]
  await t.spawn('unshare', args, { env: { ...process.env, [mark]: '1' }, ...(skip ? { skip } : {}) }, 'on a machine of its own')
}

/** /sys shows the links of the network it was mounted in; the control groups below it are the machine's. */
function showOwnLinks(): void {
  const aside = mkdtempSync(join(tmpdir(), 'slipway-cgroup-'))
  const mounts = [
    ['--rbind', '/sys/fs/cgroup', aside],
    ['-t', 'sysfs', 'sysfs', '/sys'],
    ['--rbind', aside, '/sys/fs/cgroup'],
  ]
  for (const args of mounts) execFileSync('mount', args)
  execFileSync('umount', ['-l', aside])
  rmdirSync(aside)
}

function isPossible(): boolean {
  if (process.getuid?.() !== 0 || !dockerds.some(path => existsSync(path))) return false
  try {
    execFileSync('unshare', ['--net', '--mount', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
