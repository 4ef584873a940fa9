// Image references as people write them: `web`, `shop/web:1.2`, `registry.example:5000/shop/web@sha256:...`
// (distribution/reference grammar).

export interface ImageReference {
  /** `docker.io` where none is written. */
  readonly registry: string
  /** With `library/` where docker.io means it: `library/nginx`. */
  readonly repository: string
  readonly tag: string
  /** `sha256:...` or ''. */
  readonly digest: string
  /** What the engine is asked for: the name as written, always with a tag or a digest. */
  readonly text: string
}

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const registryName =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/

/** Null for what no engine would take. A bare 64-digit hash is an image id, which is no name either. */
export function parseReference(text: string): ImageReference | null {
  const [named = '', digest = '', ...more] = text.split('@')
  if (more.length > 0 || text.length > 512 || (text.includes('@') && !/^sha256:[0-9a-f]{64}$/.test(digest))) return null
  const colon = named.lastIndexOf(':')
  const tagged = colon > named.lastIndexOf('/')
  const name = tagged ? named.slice(0, colon) : named
  const tag = tagged ? named.slice(colon + 1) : ''
  if (tagged && !/^\w[\w.-]{0,127}$/.test(tag)) return null
  const { registry, path, written } = splitRegistry(name)
  if (!registryName.test(registry) || path === '' || !path.split('/').every(part => component.test(part))) return null
  if (!written && /^[0-9a-f]{64}$/.test(path)) return null
  const repository = registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path
  const whole = tag === '' && digest === '' ? `${name}:latest` : digest === '' ? named : `${name}@${digest}`
  return { registry, repository, tag: tag === '' && digest === '' ? 'latest' : tag, digest, text: whole }
}

function splitRegistry(name: string): { registry: string; path: string; written: boolean } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const written = first !== '' && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase())
  if (!written) return { registry: 'docker.io', path: name, written }
  const registry = first === 'index.docker.io' ? 'docker.io' : first
  return { registry, path: name.slice(slash + 1), written }
}

/** The name without tag and digest, for `name@sha256:...`. */
export function nameOf(reference: ImageReference): string {
  const text = reference.text.split('@')[0]!
  return reference.digest === '' ? text.slice(0, text.lastIndexOf(':')) : text
}
