// `--output-dir`: what Helm writes there, file by file, each with what it printed of it.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { HelmFailure, type Section, type Sections, sectionText } from '../../renderer/index.js'

/** CRDs stand in the folder itself, also where everything else is in one of the release's name. Says which files there are. */
export function writeSections({ crds, documents, hooks }: Sections, folder: string, release: string): string {
  const own = release === '' ? folder : join(folder, release)
  const written = new Set<string>()
  const write = (into: string, section: Section): string => {
    const file = join(into, section.path)
    if (relative(into, file).startsWith('..')) throw new HelmFailure(`${section.path} leads out of ${into}`)
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    if (written.has(file)) appendFileSync(file, sectionText(section))
    else writeFileSync(file, sectionText(section))
    written.add(file)
    return `wrote ${into}/${section.path}\n`
  }
  return [...crds.map(one => write(folder, one)), ...[...documents, ...hooks].map(one => write(own, one))].join('')
}
