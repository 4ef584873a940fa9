// The last gate before the wire: whatever a room before it forgot, no value of a Secret passes. Pure.
import type { Manifest, ObjectRef } from '../../runtime/contract/manifest.js'

/** Says nothing of length or content. */
export const mask = '(secret)'

const valueFields = ['data', 'stringData']
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** A Secret with its keys and no values; Lists are gone through. Everything else as it is. */
export function masked(object: Manifest): Manifest {
  if (Array.isArray(object.items))
    return { ...object, items: (object.items as Manifest[]).map(item => (isObject(item) ? masked(item) : item)) }
  if (object.kind !== 'Secret') return object
  const annotations = Object.fromEntries(
    Object.entries(object.metadata?.annotations ?? {}).filter(([key]) => key !== lastApplied),
  )
  const values = Object.fromEntries(
    valueFields.filter(field => object[field] !== undefined).map(field => [field, maskedValues(object[field])]),
  )
  return {
    ...object,
    metadata: { ...object.metadata, ...(object.metadata?.annotations === undefined ? {} : { annotations }) },
    ...values,
  }
}

/** A JSON patch over a Secret: paths stay, values under data and stringData do not. */
export function maskedPatch(ref: ObjectRef, patch: readonly unknown[]): readonly unknown[] {
  if (ref.kind !== 'Secret') return patch
  return patch.map(step =>
    isObject(step) && 'value' in step ? { ...step, value: maskedAt(String(step.path), step.value) } : step,
  )
}

function maskedAt(path: string, value: unknown): unknown {
  const [, field, key] = path.split('/')
  if (field === undefined || field === '')
    return isObject(value) ? masked({ ...value, kind: 'Secret' } as unknown as Manifest) : mask
  if (field === 'metadata')
    return path.includes('last-applied') || path === '/metadata' || path === '/metadata/annotations' ? mask : value
  if (!valueFields.includes(field)) return value
  return key === undefined ? maskedValues(value) : mask
}

function maskedValues(values: unknown): unknown {
  return isObject(values) ? Object.fromEntries(Object.keys(values).map(key => [key, mask])) : mask
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
