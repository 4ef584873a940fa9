// The files that a render may read, and the names that it must not: one resolver for every path that comes out of Git.
import { RenderFault } from './fault.js'
import { globMatcher } from './helm/glob.js'

/** The application's path at one commit; paths relative to it, '/' between, no symlinks. */
export interface Files {
  readonly paths: readonly string[]
  /** null where there is none. The same array for the same content, where what was made of it should be found again. */
  read(path: string): Uint8Array | null
  /** The same for the same paths with the same content: a chart that was loaded from them is found again by it. */
  readonly id?: string
  /** Hears what templates ask of the files that are no part of the chart itself (`.Files`). */
  readonly asked?: (question: FileQuestion) => void
}

/** One file, whether it is there or not; or those that a pattern finds (`**`: all). */
export type FileQuestion = { readonly path: string } | { readonly pattern: string }

/** Would another content of this file change the answer? */
export function isMeant(question: FileQuestion, path: string): boolean {
  return 'path' in question ? question.path === path : (globMatcher(question.pattern)?.(path) ?? true)
}

/** Throws `RenderFault` where it is not UTF-8. */
export function textOfFile(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw new RenderFault('InvalidYaml', `${path}: is not UTF-8 text`)
  }
}

/** Dots and slashes that look like one, percent-escapes of them, backslashes and control characters. */
const deceptive = /[\\\x00-\x1f\x7f\u2024\u2025\u2026\u2044\u2215\u29f8\ufe52\uff0e\uff0f\uff3c]|%2e|%2f|%5c|%00/i

/**
 * A value file's path from the repository's root. Relative ones start at the chart (`root`), those with a leading '/' at the
 * repository. Throws `RenderFault` for what leaves the repository, names a URL, or only looks like a path.
 */
export function valueFilePath(root: string, name: string): string {
  const what = `value file ${JSON.stringify(name)}`
  const path = pathInRepository(root, name, what)
  if (path === '.') throw new RenderFault('RefusedFile', `${what}: names no file`)
  return path
}

/** As `valueFilePath`; '.' is the repository's root. `what`: for messages. */
export function pathInRepository(root: string, name: string, what: string): string {
  const refuse = (why: string): RenderFault => new RenderFault('RefusedFile', `${what}: ${why}`)
  if (name === '') throw refuse('the name is empty')
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) throw refuse('only files of the repository can be read, no URLs')
  if (deceptive.test(name)) throw refuse('the name has characters that file names here must not have')
  const parts: string[] = name.startsWith('/') ? [] : root.split('/').filter(part => part !== '' && part !== '.')
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) throw refuse('leads out of the repository')
  }
  if (parts.includes('.git')) throw refuse('only files of the commit can be read')
  return parts.length === 0 ? '.' : parts.join('/')
}
