// A container's environment, command and arguments as Kubernetes composes them: envFrom first, env over it in order,
// `$(NAME)` expanded from what stands before (third_party/forked/golang/expansion).
import { configOf, configValue } from './config-error.js'
import { fieldValue, type PodSurroundings, resourceValue } from './downward.js'
import type { ContainerSpec, EnvVar, PodRecord } from './types.js'

/** Throws ConfigError where something it names is missing and not optional. */
export function environmentOf(record: PodRecord, container: ContainerSpec, around: PodSurroundings): ReadonlyMap<string, string> {
  const env = new Map<string, string>()
  for (const from of container.envFrom) {
    const data = configOf(record, from.kind, from.name, from.optional) ?? {}
    for (const [key, value] of Object.entries(data)) {
      // Kubernetes passes over keys that no environment can hold.
      const name = `${from.prefix}${key}`
      if (!/[=\0]/.test(name)) env.set(name, Buffer.from(value, 'base64').toString('utf8'))
    }
  }
  for (const variable of container.env) {
    const value = variableValue(record, container, variable, around, env)
    if (value !== null) env.set(variable.name, value)
  }
  return env
}

function variableValue(
  record: PodRecord,
  container: ContainerSpec,
  variable: EnvVar,
  around: PodSurroundings,
  env: ReadonlyMap<string, string>,
): string | null {
  const from = variable.valueFrom
  if (from === undefined) return expand(variable.value ?? '', env)
  switch (from.kind) {
    case 'field':
      return fieldValue(record, around, from.path)
    case 'resource':
      return resourceValue(record, around, from.container || container.name, from.resource, from.divisor)
    case 'configMap':
    case 'secret':
      return configValue(record, from.kind, from.name, from.key, from.optional)?.toString('utf8') ?? null
  }
}

/** `$(NAME)` is replaced where NAME is known and left where not; `$$` is a dollar sign: `$$(NAME)` gives `$(NAME)`. */
export function expand(text: string, env: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, what: string, name: string | undefined) => {
    if (what === '$') return '$'
    return env.get(name ?? '') ?? whole
  })
}
