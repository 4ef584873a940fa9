// Git for tests: the demo's real server over http, and working copies steered with the real git binary.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export {
  type Account,
  type Faults,
  type GitServer,
  type GitServerOptions,
  startGitServer,
} from '../../examples/demo/git-server.js'

export interface WorkingCopy {
  readonly directory: string
  /** Runs git in it; gives what it printed, trimmed. */
  git(...args: string[]): Promise<string>
  /** Writes the files (null deletes), commits, and gives the hash. Not pushed. */
  commit(files: Readonly<Record<string, string | null>>, message?: string): Promise<string>
  /** Commits and pushes the branch that is checked out. */
  push(files: Readonly<Record<string, string | null>>, message?: string): Promise<string>
}

/** An empty working copy of branch main whose `origin` is `url` (with credentials in it where the server wants some). */
export async function workingCopy(directory: string, url: string): Promise<WorkingCopy> {
  await mkdir(directory, { recursive: true })
  const git = (...args: string[]) => runGit(directory, args)
  await git('init', '--quiet', '--initial-branch=main')
  await git('remote', 'add', 'origin', url)
  const commit = async (files: Readonly<Record<string, string | null>>, message = 'Change something') => {
    for (const [path, content] of Object.entries(files)) await place(join(directory, path), content)
    await git('add', '--all')
    await git('commit', '--quiet', '--allow-empty', '-m', message)
    return git('rev-parse', 'HEAD')
  }
  const push = async (files: Readonly<Record<string, string | null>>, message?: string) => {
    const hash = await commit(files, message)
    await git('push', '--quiet', 'origin', 'HEAD')
    return hash
  }
  return { directory, git, commit, push }
}

async function place(path: string, content: string | null): Promise<void> {
  if (content === null) return rm(path, { recursive: true })
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

export function runGit(directory: string, args: readonly string[], input = ''): Promise<string> {
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Ann Author',
    GIT_AUTHOR_EMAIL: 'ann@example.com',
    GIT_COMMITTER_NAME: 'Carl Committer',
    GIT_COMMITTER_EMAIL: 'carl@example.com',
  }
  return new Promise((resolve, reject) => {
    const child = execFile('git', [...args], { cwd: directory, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      error ? reject(new Error(`git ${args.join(' ')}: ${stderr}`)) : resolve(stdout.trim()),
    )
    child.stdin?.on('error', () => {}) // it may end without reading
    child.stdin?.end(input)
  })
}

/** A directory that is gone after the test. */
export async function temporaryDirectory(t: { teardown(work: () => unknown): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}
