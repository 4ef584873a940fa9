// A plain directory: which of its files are manifests.
import { RenderFault } from '../fault.js'
import { globMatcher } from '../glob.js'

export interface DirectoryOptions {
  readonly recurse: boolean
  /** Globs, '' for none; `{a,b}` for several. Matched against the path below the application's path; `*` means '/' too, as in Argo CD. */
  readonly include: string
  readonly exclude: string
}

export function manifestPaths(paths: readonly string[], options: DirectoryOptions): string[] {
  const isMeant = chosen(options)
  return paths.filter(path => isManifest(path) && isMeant(path)).sort()
}

/** Whatever its name ends in: is it where manifests are looked for, and not left out? */
export function chosen({ recurse, include, exclude }: DirectoryOptions): (path: string) => boolean {
  const included = include === '' ? () => true : matcher(include, 'include')
  const excluded = exclude === '' ? () => false : matcher(exclude, 'exclude')
  return path => (recurse || !path.includes('/')) && !isHidden(path) && included(path) && !excluded(path)
}

function isHidden(path: string): boolean {
  return /(^|\/)\./.test(path)
}

/** `*.yaml`, `*.yml`, `*.json`; hidden files and folders (`.github/`) are not meant. */
export function isManifest(path: string): boolean {
  return /\.(yaml|yml|json)$/.test(path) && !isHidden(path)
}

function matcher(pattern: string, field: string): (path: string) => boolean {
  try {
    return globMatcher(pattern, true)
  } catch (cause) {
    throw new RenderFault(
      'InvalidChart',
      `source.directory.${field}: ${cause instanceof Error ? cause.message : 'cannot be read'}`,
    )
  }
}
