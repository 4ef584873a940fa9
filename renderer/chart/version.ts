// Versions as Helm's charts use them: what is one, and whether it is within a range (`chartutil.IsCompatibleRange`).
import { parseConstraints, satisfies } from '../functions/sprig/constraint.js'
import { parseVersion } from '../functions/sprig/version.js'

const versionForm = /^v?\d+(?:\.\d+)?(?:\.\d+)?(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/

export function isVersion(text: string): boolean {
  return versionForm.test(text)
}

/** false also where one of the two cannot be read. */
export function isWithin(range: string, version: string): boolean {
  if (!isVersion(version)) return false
  try {
    return satisfies(parseVersion(version), parseConstraints(range))
  } catch {
    return false
  }
}

export interface KubeVersion {
  /** `v1.33.0` */
  readonly version: string
  readonly major: string
  readonly minor: string
}

/** Kubernetes' `ParseGeneric`: two numbers or more. null: it is none. */
export function parseKubeVersion(text: string): KubeVersion | null {
  const found = /^\s*v?((?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+)(.*?)\s*$/s.exec(text)
  if (found === null) return null
  const [major = '0', minor = '0'] = (found[1] ?? '').split('.')
  return { version: `v${found[1]}`, major, minor }
}
