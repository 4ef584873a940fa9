// What those who bring a chart's dependencies ask about files that they got from elsewhere: answered where files may do no harm.
import { RenderFault } from '../fault.js'
import { type ChartFile, unpack } from './archive.js'
import { type Aliases, type ChartFacts, factsOf, factsOfArchive, isChartFault } from './lock.js'
import { ChartError } from './metadata.js'
import { type PublishedVersion, versionsIn } from './published.js'

export type ChartQuestion =
  | { readonly question: 'facts'; readonly files: readonly ChartFile[]; readonly aliases: Aliases }
  | { readonly question: 'archive'; readonly archive: Uint8Array }
  | { readonly question: 'files'; readonly archive: Uint8Array; readonly most: number }
  | { readonly question: 'versions'; readonly index: Uint8Array; readonly name: string }

/** `fault`: what is wrong with the files; trying again with the same ones gives the same. */
export interface ChartAnswer {
  readonly facts?: ChartFacts
  readonly versions?: readonly PublishedVersion[]
  /** Of a packed chart; the content in base64, for it goes from process to process. */
  readonly files?: readonly { readonly name: string; readonly base64: string }[]
  readonly fault?: string
}

export function answerTo(question: ChartQuestion): ChartAnswer {
  try {
    switch (question.question) {
      case 'facts':
        return { facts: factsOf(question.files, question.aliases) }
      case 'archive':
        return { facts: factsOfArchive(question.archive) }
      case 'files':
        return { files: filesIn(question.archive, question.most) }
      case 'versions':
        return { versions: versionsIn(question.index, question.name) }
    }
  } catch (cause) {
    if (isChartFault(cause) || cause instanceof RenderFault) return { fault: cause.message }
    throw cause
  }
}

/** `most`: bytes together. Of a name that is there twice the last counts, as where an archive is unpacked. */
function filesIn(archive: Uint8Array, most: number): NonNullable<ChartAnswer['files']> {
  const files = unpack(archive)
  const total = files.reduce((sum, { bytes }) => sum + bytes.length, 0)
  if (total > most) throw new ChartError(`the files of one application may have ${most} bytes together, and it has ${total}`)
  const byName = new Map(files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('base64')] as const))
  return [...byName].map(([name, base64]) => ({ name, base64 }))
}
