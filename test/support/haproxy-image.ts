// The machine's own haproxy with its libraries as an image of the name that the product looks for: no registry is asked.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { makeTar } from '../../runtime/docker/tar.js'

/** A docker-archive. `program`: `/usr/sbin/haproxy`. */
export function haproxyArchive(program: string, tag: string): Buffer {
  const libraries = [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map(
    found => found[1] ?? '',
  )
  const files = [...new Set(libraries), program].map(path => ({
    path: path === program ? 'usr/sbin/haproxy' : path.slice(1),
    content: readFileSync(path),
    mode: 0o755,
  }))
  const layer = makeTar(files)
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Env: ['PATH=/usr/sbin'], User: '99', StopSignal: 'SIGUSR1' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  )
  const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: [tag], Layers: ['layer.tar'] }]
  return makeTar([
    { path: `${sha256(config)}.json`, content: config },
    { path: 'layer.tar', content: layer },
    { path: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
  ])
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
