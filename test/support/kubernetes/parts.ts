// The images of an installation in a cluster, made of what this machine has: a base with Node and a shell, as `npm run image -- --base`
// takes one, and NATS.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { architecture, imageArchive, imageParts } from '../../../runtime/docker/image-archive.js'
import type { TarEntry } from '../../../runtime/docker/tar.js'
import { natsServers } from '../nats.js'

const programs = ['sh', 'cat', 'id', 'touch', 'ls', 'rm', 'grep', 'sleep']

function shell(): readonly TarEntry[] {
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find(path => existsSync(path)) ?? ''
  const links = programs.map(name => ({ path: `bin/${name}`, content: Buffer.alloc(0), link: 'busybox', mode: 0o777 }))
  return [file('bin/busybox', busybox), ...links]
}

function file(path: string, from: string): TarEntry {
  return { path, content: readFileSync(from), mode: 0o755 }
}

function archive(tag: string, entries: readonly TarEntry[]): Buffer {
  return imageArchive(tag, imageParts(entries, { Env: ['PATH=/bin'] }, architecture())).archive
}

/** A program of this machine with the libraries that it wants. */
function program(path: string, from: string): readonly TarEntry[] {
  const said = spawnSync('ldd', [from], { encoding: 'utf8' }).stdout
  const libraries = new Set([...said.matchAll(/(\/\S+) \(0x/g)].map(found => found[1] ?? ''))
  return [file(path, from), ...[...libraries].map(library => file(library.slice(1), library))]
}

/** This Node: a docker-archive. */
export function nodeArchive(tag: string): Buffer {
  const temporary = { path: 'tmp/', content: Buffer.alloc(0), mode: 0o1777, directory: true } as const
  return archive(tag, [...shell(), temporary, ...program('bin/node', process.execPath)])
}

/** '' where this machine has none. */
export function natsProgram(): string {
  return natsServers()[0]?.binary ?? ''
}

export function natsArchive(tag: string): Buffer {
  return archive(tag, [...shell(), ...program('bin/nats-server', natsProgram())])
}
