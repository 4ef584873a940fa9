// `.helmignore`: which files of a directory are no part of the chart (Helm's `pkg/ignore`; patterns as Go's `filepath.Match` reads them).
import { ChartError } from './metadata.js'

interface Rule {
  readonly negate: boolean
  readonly directory: boolean
  readonly matches: (path: string) => boolean
}

export type Ignored = (path: string, isDirectory: boolean) => boolean

/** The rules of the file, and `templates/.?*`. Throws `ChartError` where a rule cannot be read. */
export function ignoreRules(text: string): Ignored {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  const rules = [...lines, 'templates/.?*'].flatMap(ruleOf)
  return (path, isDirectory) => {
    if (path === '' || path === '.' || path === './') return false
    for (const rule of rules) {
      if (rule.negate) {
        if ((rule.directory && !isDirectory) || !rule.matches(path)) return true
      } else if ((!rule.directory || isDirectory) && rule.matches(path)) return true
    }
    return false
  }
}

/** Those of the paths that are left: a folder that is ignored takes all in it. */
export function withoutIgnored(paths: readonly string[], ignored: Ignored): string[] {
  const folders = new Map<string, boolean>()
  const isFolderIgnored = (folder: string): boolean => {
    if (folder === '') return false
    const known = folders.get(folder)
    if (known !== undefined) return known
    const is = isFolderIgnored(folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) || ignored(folder, true)
    folders.set(folder, is)
    return is
  }
  return paths.filter(path => !isFolderIgnored(path.slice(0, Math.max(0, path.lastIndexOf('/')))) && !ignored(path, false))
}

function ruleOf(line: string): Rule[] {
  let pattern = line.trim()
  if (pattern === '' || pattern.startsWith('#')) return []
  if (pattern.includes('**')) throw new ChartError('double-star (**) syntax is not supported')
  matcher(pattern)
  const negate = pattern.startsWith('!')
  if (negate) pattern = pattern.slice(1)
  const directory = pattern.endsWith('/')
  if (directory) pattern = pattern.slice(0, -1)
  if (pattern.startsWith('/')) return [{ negate, directory, matches: matcher(pattern.slice(1)) }]
  if (pattern.includes('/')) return [{ negate, directory, matches: matcher(pattern) }]
  const matches = matcher(pattern)
  return [{ negate, directory, matches: path => matches(/[^/]*(?=\/*$)/.exec(path)?.[0] ?? path) }]
}

type Part = { readonly kind: 'star' } | { readonly kind: 'one'; readonly is: (char: string) => boolean }

/** Go's `filepath.Match`: `*`, `?`, `[a-z]`, `[^a]`, `\`; none of them matches '/'. Throws `ChartError`. */
export function matcher(pattern: string): (name: string) => boolean {
  const parts = partsOf([...pattern])
  return name => matchesParts(parts, [...name])
}

function partsOf(chars: readonly string[]): Part[] {
  const parts: Part[] = []
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string
    if (char === '*') parts.push({ kind: 'star' })
    else if (char === '?') parts.push({ kind: 'one', is: one => one !== '/' })
    else if (char === '[') {
      const set = setAt(chars, at + 1)
      parts.push({ kind: 'one', is: set.is })
      at = set.end
    } else {
      const literal = char === '\\' ? chars[++at] : char
      if (literal === undefined) throw new ChartError('syntax error in pattern')
      parts.push({ kind: 'one', is: one => one === literal })
    }
  }
  return parts
}

function setAt(chars: readonly string[], start: number): { readonly is: (char: string) => boolean; readonly end: number } {
  let at = start
  const negated = chars[at] === '^'
  if (negated) at++
  const ranges: (readonly [string, string])[] = []
  const next = (): string => {
    const char = chars[at++]
    const meant = char === '\\' ? chars[at++] : char
    if (meant === undefined || char === '-' || char === ']') throw new ChartError('syntax error in pattern')
    return meant
  }
  while (chars[at] !== ']' || ranges.length === 0) {
    const low = next()
    if (chars[at] !== '-') ranges.push([low, low])
    else {
      at++
      ranges.push([low, next()])
    }
  }
  const inside = (char: string): boolean => ranges.some(([low, high]) => low <= char && char <= high)
  return { is: char => inside(char) !== negated, end: at }
}

/** Time is pattern x name: the last star is the only one tried again. */
function matchesParts(parts: readonly Part[], chars: readonly string[]): boolean {
  let [part, char, star, from] = [0, 0, -1, 0]
  while (char < chars.length) {
    const now = parts[part]
    if (now?.kind === 'star') {
      star = part++
      from = char
    } else if (now?.kind === 'one' && now.is(chars[char] as string)) {
      part++
      char++
    } else if (star >= 0 && chars[from] !== '/') {
      part = star + 1
      char = ++from
    } else return false
  }
  while (parts[part]?.kind === 'star') part++
  return part === parts.length
}
