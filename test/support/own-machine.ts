// A network and mounts of their own for a test file, so that it may end engines and delete links without anybody noticing.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
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
    return tests()
  }
  const path = fileURLToPath(file)
  const skip = !isPossible() && 'needs root, dockerd and namespaces'
  const args = ['--net', '--mount', process.execPath, '--enable-source-maps', path]
  await t.spawn('unshare', args, { env: { ...process.env, [mark]: '1' }, ...(skip ? { skip } : {}) }, 'on a machine of its own')
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
