// Which credentials of a pod's imagePullSecrets fit a registry: Kubernetes' rules for `.dockerconfigjson`
// (concepts/containers/images: globs by host part, path as prefix, the longest match first).
import type { ImageReference } from './reference.js'
import type { RegistryAuth } from './shapes.js'

interface Entry {
  readonly auth?: string
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
}

/** `configs`: texts of `.dockerconfigjson` or the older `.dockercfg`; one that does not parse is passed over. Null: pull without. */
export function pickAuth(image: ImageReference, configs: readonly string[]): RegistryAuth | null {
  const found = configs.flatMap(entriesOf).filter(([key]) => matches(key, image))
  found.sort(([a], [b]) => b.length - a.length)
  for (const [key, entry] of found) {
    const auth = toAuth(key, entry)
    if (auth !== null) return auth
  }
  return null
}

/** Every string in them that must never be shown. */
export function authSecrets(configs: readonly string[]): readonly string[] {
  return configs.flatMap(entriesOf).flatMap(([key, entry]) => {
    const auth = toAuth(key, entry)
    const plain = auth === null ? [] : 'password' in auth ? [auth.password] : [auth.identitytoken]
    return [...plain, entry.auth ?? ''].filter(text => text.length >= 4)
  })
}

function entriesOf(config: string): readonly (readonly [string, Entry])[] {
  try {
    const parsed = JSON.parse(config) as { auths?: Record<string, Entry> }
    return Object.entries(parsed.auths ?? (parsed as Record<string, Entry>)).filter(
      ([, entry]) => entry !== null && typeof entry === 'object',
    )
  } catch {
    return []
  }
}

function matches(key: string, image: ImageReference): boolean {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/(v1|v2)?\/?$/, '')
  const [host = '', ...path] = bare.split('/')
  const wanted = host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host
  const inPath = path.length === 0 || `${image.repository}/`.startsWith(`${path.join('/')}/`)
  return inPath && hostMatches(wanted, image.registry)
}

function hostMatches(pattern: string, host: string): boolean {
  const [patterns, hosts] = [pattern.split('.'), host.split('.')]
  if (patterns.length !== hosts.length) return false
  return patterns.every((part, index) => {
    const expression = part
      .replace(/[\\^$+.()|{}[\]]/g, '\\$&')
      .replace(/\*/g, '[^.]*')
      .replace(/\?/g, '[^.]')
    return new RegExp(`^${expression}$`).test(hosts[index]!)
  })
}

function toAuth(key: string, entry: Entry): RegistryAuth | null {
  const serveraddress = key
  if (entry.identitytoken) return { identitytoken: entry.identitytoken, serveraddress }
  if (entry.username) return { username: entry.username, password: entry.password ?? '', serveraddress }
  const plain = Buffer.from(entry.auth ?? '', 'base64').toString('utf8')
  const colon = plain.indexOf(':')
  return colon < 0
    ? null
    : { username: plain.slice(0, colon), password: plain.slice(colon + 1).replace(/\0+$/, ''), serveraddress }
}
