// Questions to the machine itself: where a path really is, and whether somebody listens on a port.
import { readlinkSync, realpathSync } from 'node:fs'
import { createServer } from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'

/**
 * Symbolic links followed as far as the path exists, a link to nothing included: the engine would make what it points to. What does
 * not exist yet is appended as written. Throws on a circle of links.
 */
export function realPath(path: string, links = 40): string {
  const wanted = resolve(path)
  try {
    return realpathSync(wanted)
  } catch {
    const parent = dirname(wanted)
    if (parent === wanted) return wanted
    const place = join(realPath(parent, links), basename(wanted))
    const target = linkTarget(place)
    if (target === null) return place
    if (links === 0) throw new Error(`${path}: too many symbolic links`)
    return realPath(resolve(dirname(place), target), links - 1)
  }
}

function linkTarget(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}

/** Tries to listen for a moment: a port that we may not have (EACCES) is the engine's to judge. */
export function portTaken(port: number, hostIP: string): Promise<boolean> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') done(true)
      else if (error.code === 'EACCES') done(false)
      else failed(new Error(`looking at port ${port}`, { cause: error }))
    })
    server.listen({ port, host: hostIP === '' ? '0.0.0.0' : hostIP, exclusive: true }, () => server.close(() => done(false)))
  })
}
