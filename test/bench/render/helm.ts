// The real Helm beside us: its program, and its packages in a process of their own. Both are built with Go where that is there.
import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'
import type { KnownChart } from './charts.js'

const run = promisify(execFile)

export const release = { name: 'rel', namespace: 'demo', kubeVersion: 'v1.33.0' }

export interface Helm {
  /** `v3.22.0`, or why there is none. */
  readonly version: string
  /** ms of `helm template` from its start to its end; null where there is none. */
  readonly template: (chart: KnownChart, valueFile: string) => Promise<number | null>
  /** ms from the packed chart to the manifest in a process that goes on living; null where there is none. */
  readonly inProcess: (chart: KnownChart, values: string) => Promise<number | null>
  readonly close: () => void
}

export async function findHelm(say: (line: string) => void): Promise<Helm> {
  const built = await build(say).catch((error: Error) => {
    say(`Helm's packages could not be built (${error.message.split('\n')[0]}): no helmInProcessMs`)
    return null
  })
  const program = built?.program ?? 'helm'
  const version = await run(program, ['version', '--template', '{{.Version}}']).then(
    ({ stdout }) => stdout,
    () => 'none',
  )
  const packages = built === null ? null : new Packages(built.packages)
  return {
    version,
    template: (chart, valueFile) => (version === 'none' ? Promise.resolve(null) : template(program, chart, valueFile)),
    inProcess: (chart, values) => packages?.render(chart, values) ?? Promise.resolve(null),
    close: () => packages?.close(),
  }
}

/** Both of one version (helm/go.mod), kept in the user's cache: a second run builds nothing. */
async function build(say: (line: string) => void): Promise<{ readonly program: string; readonly packages: string }> {
  await run('go', ['version'])
  const directory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway', 'bench-helm')
  mkdirSync(directory, { recursive: true })
  cpSync('test/bench/render/helm', directory, { recursive: true })
  const [program, packages] = [join(directory, 'helm'), join(directory, 'packages')]
  say('building Helm and a program of its packages with Go; the first time takes minutes')
  const go = (...args: readonly string[]) => run('go', args, { cwd: directory, maxBuffer: 1 << 26 })
  await go('build', '-o', packages, '.')
  await go('build', '-mod=mod', '-o', program, 'helm.sh/helm/v3/cmd/helm')
  return { program, packages }
}

async function template(program: string, { archive }: KnownChart, valueFile: string): Promise<number> {
  const { name, namespace, kubeVersion } = release
  const args = ['template', name, archive, '--namespace', namespace, '--kube-version', kubeVersion, '-f', valueFile]
  const began = performance.now()
  await run(program, args, { maxBuffer: 1 << 28 })
  return performance.now() - began
}

class Packages {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: Interface
  constructor(program: string) {
    this.#process = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface(this.#process.stdout)
  }

  async render({ archive }: KnownChart, values: string): Promise<number> {
    const { name, namespace, kubeVersion } = release
    const line = new Promise<string>(resolve => this.#lines.once('line', resolve))
    this.#process.stdin.write(`${JSON.stringify({ chart: archive, release: name, namespace, kubeVersion, values })}\n`)
    const { ms, err } = JSON.parse(await line) as { readonly ms: number; readonly err?: string }
    if (err !== undefined) throw new Error(`Helm's packages: ${err}`)
    return ms
  }

  close(): void {
    this.#process.stdin.end()
  }
}
