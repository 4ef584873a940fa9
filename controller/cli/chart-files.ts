// The files of a folder that is here, as Helm walks through it: links are followed, what .helmignore names is not read.
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, type Stats } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { HelmFailure, type Ignored, ignoreRules, largestFile, walked } from '../../renderer/index.js'

export interface HereFile {
  /** From the folder, '/' between. */
  readonly name: string
  readonly bytes: Uint8Array
}

/** In the order of `walked`. `warn` is told of links, as Helm tells of them. Throws `HelmFailure`. */
export function filesOf(folder: string, warn: (words: string) => void = () => {}): readonly HereFile[] {
  const top = resolve(folder)
  const walk = new Walk(top, rulesOf(top), warn)
  walk.folder('', [realpathSync(top)])
  const bytes = new Map(walk.found.map(({ name, bytes: held }) => [name, held] as const))
  return walked([...bytes.keys()]).map(name => ({ name, bytes: bytes.get(name) as Uint8Array }))
}

function rulesOf(top: string): Ignored {
  const file = join(top, '.helmignore')
  try {
    return ignoreRules(existsSync(file) ? readFileSync(file, 'utf8') : '')
  } catch (cause) {
    throw new HelmFailure((cause as Error).message)
  }
}

class Walk {
  readonly found: HereFile[] = []
  readonly #top: string
  readonly #ignored: Ignored
  readonly #warn: (words: string) => void
  constructor(top: string, ignored: Ignored, warn: (words: string) => void) {
    this.#top = top
    this.#ignored = ignored
    this.#warn = warn
  }

  /** `inside`: the real folders that are being walked through, this one last. */
  folder(below: string, inside: readonly string[]): void {
    for (const entry of readdirSync(join(this.#top, below)).sort()) {
      const name = below === '' ? entry : `${below}/${entry}`
      if (name !== '.git') this.#one(name, inside)
    }
  }

  #one(name: string, inside: readonly string[]): void {
    const path = join(this.#top, name)
    const own = lstatSync(path)
    const real = own.isSymbolicLink() ? this.#linked(path) : path
    const stats = real === path ? own : lstatSync(real)
    if (this.#ignored(name, stats.isDirectory())) return
    if (!stats.isDirectory()) this.#file(name, path, stats)
    else if (real !== path && inside.includes(real))
      throw new HelmFailure(`${path} is a link to ${real}, which it stands in: such a folder has no end`)
    else this.folder(name, [...inside, real === path ? join(inside.at(-1) ?? '', basename(name)) : real])
  }

  #linked(path: string): string {
    try {
      const real = realpathSync(path)
      this.#warn(`found symbolic link in path: ${path} resolves to ${real}. Contents of linked file included and used`)
      return real
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      throw new HelmFailure(`error evaluating symlink ${path}: ${code === 'ENOENT' ? 'no such file or directory' : message}`)
    }
  }

  #file(name: string, path: string, stats: Stats): void {
    if (!stats.isFile()) throw new HelmFailure(`cannot load irregular file ${path} as it has file mode type bits set`)
    if (stats.size > largestFile)
      throw new HelmFailure(`chart file ${JSON.stringify(basename(name))} is larger than the maximum file size ${largestFile}`)
    this.found.push({ name, bytes: readFileSync(path) })
  }
}
