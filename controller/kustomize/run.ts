// The kustomize of this machine: `kustomize`, else the one in `kubectl`. Runs in a folder of its own with nothing but what it is given:
// no network, no plugins, no other programs; its time and its output have an end.
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { KustomizeError } from './edit.js'

export interface Program {
  readonly path: string
  /** Before the folder. */
  readonly args: readonly string[]
  /** What it says of itself: another one may build something else. */
  readonly version: string
}

const timeMs = 60_000
const mostBytes = 32_000_000

/** null: there is none on this PATH. */
export async function findProgram(path: string, signal: AbortSignal): Promise<Program | null> {
  for (const [name, args, asked] of [
    ['kustomize', ['build'], ['version']],
    ['kubectl', ['kustomize'], ['version', '--client', '-o', 'json']],
  ] as const) {
    const file = await foundOn(path, name)
    if (file === null) continue
    const { out, failure } = await run(file, asked, '/', signal)
    if (failure === null) return { path: file, args, version: `${name} ${out.trim()}` }
  }
  return null
}

async function foundOn(path: string, name: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    if (!folder.startsWith('/')) continue
    const file = join(folder, name)
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return file
  }
  return null
}

/** `files`: by path from the folder; `target`: the folder among them that is built. Throws KustomizeError with what kustomize says. */
export async function build(
  program: Program,
  files: ReadonlyMap<string, Uint8Array>,
  target: string,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(directory, 'build-'))
  try {
    for (const [path, bytes] of files) {
      const file = join(folder, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, bytes, { mode: 0o600, flag: 'wx' })
    }
    const { out, failure } = await run(program.path, [...program.args, join(folder, target)], folder, signal)
    if (failure === null) return out
    throw new KustomizeError(failure.replaceAll(`${folder}/`, '').replaceAll(folder, '.'), failure.startsWith('kustomize took'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Proxies that nobody answers at: Go's HTTP client asks them for every host but this machine's own. */
const nowhere = 'http://127.0.0.1:9'

function run(
  file: string,
  args: readonly string[],
  home: string,
  signal: AbortSignal,
): Promise<{ readonly out: string; readonly failure: string | null }> {
  const env = {
    PATH: '',
    HOME: home,
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    ALL_PROXY: nowhere,
    NO_PROXY: '',
    GOMEMLIMIT: '256MiB',
  }
  return new Promise(resolve => {
    execFile(
      file,
      [...args],
      { env, cwd: home, timeout: timeMs, killSignal: 'SIGKILL', maxBuffer: mostBytes, signal },
      (error, out, err) => {
        if (error === null) resolve({ out, failure: null })
        else
          resolve({ out: '', failure: signal.aborted ? 'kustomize took too long: the controller stops' : failureOf(error, err) })
      },
    )
  })
}

function failureOf(error: Error & { readonly killed?: boolean; readonly code?: unknown }, err: string): string {
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `kustomize wrote more than ${mostBytes} bytes and was ended`
  if (error.killed === true) return `kustomize took longer than ${timeMs / 1000} s and was ended`
  const said = err
    .trim()
    .replace(/^Error: /i, '')
    .slice(0, 2_000)
  return said === '' ? `kustomize failed: ${error.message}` : said
}
