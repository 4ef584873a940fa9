// Marks pod templates with the attempt that wants fresh pods: another template, so every pod is made anew.
import type { Manifest } from './manifest.js'

export const attemptAnnotation = 'slipway.dev/attempt'

const templated = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'])

/** The manifest as it is sent to a place; unchanged where `fresh` is 0 or the kind has no pod template. */
export function stampAttempt(manifest: Manifest, fresh: number): Manifest {
  const spec = manifest.spec as { readonly template?: { readonly metadata?: { readonly annotations?: object } } } | undefined
  if (fresh === 0 || !templated.has(manifest.kind) || spec?.template === undefined) return manifest
  const metadata = spec.template.metadata ?? {}
  const annotations = { ...metadata.annotations, [attemptAnnotation]: String(fresh) }
  return { ...manifest, spec: { ...spec, template: { ...spec.template, metadata: { ...metadata, annotations } } } }
}
