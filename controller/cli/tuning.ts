// How V8 is told to run a controller: small where it has a few applications on nodes, quick where it has clusters with a thousand.
import { existsSync, readFileSync } from 'node:fs'
import { readYaml } from '../../renderer/index.js'
import { optimizedLater } from '../render/late.js'

/** Added to what all processes of ours are started with; the later of two words for the same counts. */
export function controllerFlags(hasClusters: boolean): readonly string[] {
  // What comes from an API server dies soon and is much: with room for it, it is collected less often, and less of it grows
  // old; and a heap that is kept as small as it can be is gone through twice as often.
  if (hasClusters) return ['--max-semi-space-size=4', '--no-optimize-for-size']
  // Little of it is long at work: machine code as soon as V8 would make it, and the compilers' own pages, are 8 MB. What is long at work,
  // such as reading a large repository, is still optimized, a quarter of a second later.
  return ['--no-maglev', '--no-sparkplug', ...optimizedLater(300)]
}

/** Of a configuration file; what is wrong with it the controller says itself. */
export function hasClusters(file: string): boolean {
  try {
    const [config] = existsSync(file) ? readYaml(readFileSync(file, 'utf8'), file) : []
    const { clusters } = (config ?? {}) as { readonly clusters?: unknown }
    return Array.isArray(clusters) && clusters.length > 0
  } catch {
    return false
  }
}
