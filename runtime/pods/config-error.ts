// The configuration a container names is not there, or does not allow it to run: Kubernetes' CreateContainerConfigError.
// Tried again, as what is missing may still come.

export class ConfigError extends Error {
  /** What is missing, where it is an object: it may be looked up again. */
  readonly missing: { readonly kind: 'configMap' | 'secret'; readonly name: string } | null

  constructor(message: string, missing: ConfigError['missing'] = null) {
    super(message)
    this.name = 'ConfigError'
    this.missing = missing
  }
}

type Maps = Readonly<Record<string, Readonly<Record<string, string>>>>

export interface Configuration {
  readonly configMaps: Maps
  readonly secrets: Maps
}

/** The keys of one ConfigMap or Secret, base64; null where it is missing and may be. */
export function configOf(
  from: Configuration,
  kind: 'configMap' | 'secret',
  name: string,
  optional: boolean,
): Readonly<Record<string, string>> | null {
  const maps = kind === 'configMap' ? from.configMaps : from.secrets
  if (Object.hasOwn(maps, name)) return maps[name]!
  if (optional) return null
  throw new ConfigError(`${kind === 'secret' ? 'Secret' : 'ConfigMap'} "${name}" not found: create it in the pod's namespace`, {
    kind,
    name,
  })
}

/** One key, decoded; null where it is missing and may be. */
export function configValue(
  from: Configuration,
  kind: 'configMap' | 'secret',
  name: string,
  key: string,
  optional: boolean,
): Buffer | null {
  const data = configOf(from, kind, name, optional)
  if (data === null) return null
  if (Object.hasOwn(data, key)) return Buffer.from(data[key]!, 'base64')
  if (optional) return null
  throw new ConfigError(`key "${key}" not found in ${kind === 'secret' ? 'Secret' : 'ConfigMap'} "${name}"`, { kind, name })
}
