// Which file a long-running process is started from: its bundle, where `npm run compile` made one and nothing was compiled since; else what the compiler made.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export type Program = 'controller' | 'runtime'

const rooms = ['controller', 'runtime', 'renderer']

/** `build`: where the compiler writes. */
export function programOf(build: string, name: Program): string {
  const [plain, lean] = [join(build, name, 'main.js'), join(build, 'lean', `${name}.cjs`)]
  const packedAt = changedAt(lean)
  return packedAt > 0 && rooms.every(room => !hasNewer(join(build, room), packedAt)) ? lean : plain
}

function hasNewer(directory: string, thanMs: number): boolean {
  return readdirSync(directory, { withFileTypes: true }).some(entry => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return entry.name !== 'ui' && hasNewer(path, thanMs)
    return path.endsWith('.js') && changedAt(path) > thanMs
  })
}

/** ms since 1970; 0 where there is none. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
