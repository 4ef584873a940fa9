// A plain directory: which of its files are manifests.
import { RenderFault } from '../fault.js'
import { globMatcher } from '../glob.js'

export interface DirectoryOptions {
  readonly recurse: boolean
  /** Globs, '' for none; `{a,b}` for several. Matched against the path below the application's path. */
  readonly include: string
  readonly exclude: string
}

export function manifestPaths(paths: readonly string[], options: DirectoryOptions): string[] {
  const included = options.include === '' ? () => true : matcher(options.include, 'include')
  const excluded = options.exclude === '' ? () => false : matcher(options.exclude, 'exclude')
  return paths
    .filter(path => isManifest(path) && (options.recurse || !path.includes('/')) && included(path) && !excluded(path))
    .sort()
}

/** `*.yaml`, `*.yml`, `*.json`; hidden files and folders (`.github/`) are not meant. */
export function isManifest(path: string): boolean {
  return /\.(yaml|yml|json)$/.test(path) && !/(^|\/)\./.test(path)
}

function matcher(pattern: string, field: string): (path: string) => boolean {
  try {
    return globMatcher(pattern)
  } catch (cause) {
    throw new RenderFault(
      'InvalidChart',
      `source.directory.${field}: ${cause instanceof Error ? cause.message : 'cannot be read'}`,
    )
  }
}
