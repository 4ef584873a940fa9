// Files in memory for the renderer, and a chart with one template around a piece of Handlebars.
import { type Files, pure, type Rendered, type RenderOptions, render } from '../../renderer/index.js'

export type Tree = Readonly<Record<string, string | Uint8Array>>

export function filesOf(tree: Tree): Files {
  const bytes = new Map(
    Object.entries(tree).map(([path, text]) => [path, typeof text === 'string' ? new TextEncoder().encode(text) : text] as const),
  )
  return { paths: [...bytes.keys()], read: path => bytes.get(path) ?? null }
}

export const options: RenderOptions = {
  directory: { recurse: false, include: '', exclude: '' },
  release: { name: 'shop', namespace: 'store' },
  capabilities: { kubeVersion: 'v1.31.0', apiVersions: ['apps/v1'] },
  valueFiles: [],
  ignoreMissingValueFiles: false,
  values: {},
  parameters: [],
}

export function renderTree(tree: Tree, given: Partial<RenderOptions> = {}): Rendered {
  return render(filesOf(tree), { ...options, ...given }, pure({ random: count => new Uint8Array(count), now: 0 }))
}

/** What the template printed, carried in a ConfigMap's `data.text`; of a fault its message and excerpt. */
export function printed(
  template: string,
  values: Readonly<Record<string, unknown>> = {},
  more: Tree = {},
  limits: NonNullable<RenderOptions['limits']> = {},
): string {
  const probe = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: probe }\ndata: { text: {{toJson (include "probe" this)}} }\n'
  const result = renderTree(
    { 'Chart.yaml': 'name: t\n', 'templates/a.hbs': probe, 'templates/_probe.hbs': template, ...more },
    { values, limits },
  )
  if (result.error !== undefined)
    return result.error.excerpt === '' ? result.error.message : `${result.error.message}\n${result.error.excerpt}`
  const [object] = result.objects
  return String((object?.manifest.data as { text?: string } | undefined)?.text)
}
