// Where HAProxy is on this machine and which version it has.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export interface FoundProgram {
  readonly path: string
  /** `2.6.12` */
  readonly version: string
}

/** Null where none is on PATH or in the usual places (sbin is not on every user's PATH). */
export async function findHaproxy(env: Readonly<Record<string, string | undefined>>): Promise<FoundProgram | null> {
  const folders = `${env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/usr/local/bin`.split(':').filter(folder => folder.startsWith('/'))
  for (const path of new Set(folders.map(folder => join(folder, 'haproxy')))) {
    const version = existsSync(path) ? await versionOf(path) : null
    if (version !== null) return { path, version }
  }
  return null
}

/** `HAProxy version 2.6.12-1+deb12u4 2026/01/05 - https://haproxy.org/` */
function versionOf(path: string): Promise<string | null> {
  return new Promise(resolve => {
    execFile(path, ['-v'], { timeout: 5_000, env: {} }, (error, stdout) => {
      resolve(error === null ? (/version (\d+(?:\.\d+)+)/.exec(stdout)?.[1] ?? null) : null)
    })
  })
}
