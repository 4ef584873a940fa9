// Which files of a commit give values: by name, by glob, or from another source (`$ref/...`), as Argo CD reads `helm.valueFiles` and
// `helm.fileParameters` (util/argo/path, reposerver's getResolvedValueFiles).
import { globs, pathInRepository, RenderFault, valueFilePath } from '../../renderer/index.js'
import type { Source } from '../application.js'
import type { GitTree } from '../release.js'

export interface ValueFile {
  /** As it is declared; of a glob, the file's path from the repository's root. */
  readonly name: string
  readonly entry: { readonly oid: string } | null
}

export interface ValueFiles {
  readonly values: readonly ValueFile[]
  /** In the order of `fileParameters`. */
  readonly parameters: readonly ValueFile[]
}

/** Throws `RenderFault` for names that lead out of the repository; rejects where Git cannot be read. */
export async function valueFilesOf({ path, chart }: Source, tree: GitTree): Promise<ValueFiles> {
  const explicit = new Set(chart.valueFiles.filter(name => !isGlob(name)).map(name => placeOf(path, name)))
  const taken = new Set(explicit)
  const values: ValueFile[] = []
  for (const name of chart.valueFiles) {
    if (!isGlob(name)) {
      values.push({ name, entry: await tree.resolve(placeOf(path, name)) })
      continue
    }
    const found = (await matching(name, path, tree)).filter(file => !taken.has(file.name))
    for (const file of found) taken.add(file.name)
    // A glob that finds nothing is a file that is not there: the same words for both.
    values.push(...(found.length > 0 || taken.size > explicit.size ? found : [{ name, entry: null }]))
  }
  const parameters = chart.fileParameters.map(async parameter => ({
    name: parameter.path,
    entry: await tree.resolve(placeOf(path, parameter.path)),
  }))
  return { values, parameters: await Promise.all(parameters) }
}

function isGlob(name: string): boolean {
  return /[*?[]/.test(name)
}

/** From the repository's root; of another source `$ref/` and the path from that one's root. */
function placeOf(path: string, name: string): string {
  const [, ref, rest = ''] = /^\$([A-Za-z0-9_-]+)\/(.*)$/.exec(name) ?? []
  if (ref === undefined) return valueFilePath(path, name)
  return `$${ref}/${valueFilePath('.', rest.replace(/^\/+/, ''))}`
}

/** In the order of their names. */
async function matching(name: string, path: string, tree: GitTree): Promise<readonly ValueFile[]> {
  if (name.startsWith('$')) throw refused(name, 'a glob over the files of another source is not supported: name its files')
  if (tree.everything === undefined) throw refused(name, 'there are no files to look through')
  const pattern = pathInRepository(path, name, `value file ${JSON.stringify(name)}`)
  const meant = globs(pattern)
  const found = (await tree.everything()).filter(file => file.kind === 'blob' && meant(file.path))
  return found.map(file => ({ name: file.path, entry: { oid: file.oid } })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function refused(name: string, why: string): RenderFault {
  return new RenderFault('RefusedFile', `value file ${JSON.stringify(name)}: ${why}`)
}
