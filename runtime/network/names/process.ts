// The names process, found or started; and the file that it reads.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { failpoint } from '../../failpoint.js'
import { commandLine, findProcesses, logTail, sendSignal, startDetached, stillRuns } from '../detached.js'
import { listeningSockets, socketsOf } from '../host.js'
import type { Zone } from './zone.js'

const READY_LIMIT_MS = 15_000

export interface NamesPlaces {
  readonly directory: string
  /** The Node that runs it. */
  readonly program: string
  readonly address: string
}

/** Node before 24 says on each start that --jitless takes WebAssembly away; from 24 on it says nothing and does not know the flag. */
const withoutWasm = Number.parseInt(process.versions.node, 10) < 24 ? ['--no-expose-wasm'] : []

export type Names = ReturnType<typeof createNames>

export function createNames({ directory, program, address }: NamesPlaces) {
  const file = join(directory, 'zone.json')
  const log = join(directory, 'names.log')
  const pidFile = join(directory, 'names.pid')
  const main = fileURLToPath(new URL('./main.js', import.meta.url))

  let known = 0

  /** null when none of ours runs. */
  function pid(): number | null {
    if (commandLine(known)?.includes(file)) return known
    const written = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0
    known = written > 0 && commandLine(written)?.includes(file) ? written : 0
    return known === 0 ? null : known
  }

  async function start(signal: AbortSignal): Promise<void> {
    end()
    // 47 MB instead of 57 after 10,000 questions, of which 35 are the program's own file: the compiler and WebAssembly cost 10 MB and
    // save 0.04 ms a question.
    const flags = ['--jitless', ...withoutWasm, '--max-old-space-size=16', '--max-semi-space-size=1', '--v8-pool-size=0']
    const started = await startDetached({ path: program, args: [...flags, main, file, address, '53'], logPath: log })
    writeFileSync(pidFile, `${started}`)
    known = 0
    const limit = performance.now() + READY_LIMIT_MS
    // Its own socket: somebody else may have the port.
    const listens = () => {
      const own = socketsOf([started])
      return listeningSockets().some(socket => socket.ip === address && socket.port === 53 && own.has(socket.inode))
    }
    while (!listens()) {
      if (!stillRuns(started, file) || performance.now() > limit)
        throw new Error(`names does not answer (${log}):\n${logTail(log)}`)
      await sleep(20, undefined, { signal })
    }
  }

  function end(): void {
    for (const found of findProcesses([file, '/names/main.'])) sendSignal(found, 'SIGKILL')
    rmSync(pidFile, { force: true })
  }

  return {
    pid,
    start,
    /** In effect with the next question. */
    publish(zone: Zone): void {
      const text = JSON.stringify(zone)
      if (existsSync(file) && readFileSync(file, 'utf8') === text) return
      writeFileSync(`${file}.new`, text, { mode: 0o600 })
      failpoint('runtime.names.published.before')
      renameSync(`${file}.new`, file)
      failpoint('runtime.names.published')
    },
    end,
  }
}
