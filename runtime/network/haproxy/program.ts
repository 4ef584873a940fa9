// HAProxy as a program of this machine.
import { execFile } from 'node:child_process'
import { existsSync, statSync, truncateSync } from 'node:fs'
import { promisify } from 'node:util'
import { logTail, startDetached } from '../detached.js'
import type { HaproxyRunner } from '../types.js'

const run = promisify(execFile)

const LOG_LIMIT_BYTES = 1_000_000

export function haproxyProgram(path: string, logPath: string): HaproxyRunner {
  return {
    async check(file) {
      if (existsSync(logPath) && statSync(logPath).size > LOG_LIMIT_BYTES) truncateSync(logPath)
      await run(path, ['-c', '-q', '-f', file]).catch((cause: { stderr?: string }) => {
        throw new Error(cause.stderr?.trim() ?? '', { cause })
      })
    },
    start: args => startDetached({ path, args, logPath }),
    lastWords: async () => `(${logPath}):\n${logTail(logPath)}`,
    remove: async () => {},
  }
}
