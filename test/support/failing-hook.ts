// Set in the test's own controller and runtime: writes down each failpoint that is passed, and kills the process at the one that is armed.
import { appendFileSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { onFailpoint } from '../../runtime/failpoint.js'

/** Files of the directory: `passed` has a name a line; `armed` the one to be killed at, renamed to `killed` right before. */
export function hookFailpoints(directory: string): void {
  const armed = join(directory, 'armed')
  onFailpoint(name => {
    appendFileSync(join(directory, 'passed'), `${name}\n`)
    if (contentOf(armed) !== name) return
    renameSync(armed, join(directory, 'killed'))
    process.kill(process.pid, 'SIGKILL')
  })
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
