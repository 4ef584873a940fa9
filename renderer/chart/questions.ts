// What those who bring a chart's dependencies ask about files that they got from elsewhere: answered where files may do no harm.
import { RenderFault } from '../fault.js'
import type { ChartFile } from './archive.js'
import { type Aliases, type ChartFacts, factsOf, factsOfArchive, isChartFault } from './lock.js'
import { type PublishedVersion, versionsIn } from './published.js'

export type ChartQuestion =
  | { readonly question: 'facts'; readonly files: readonly ChartFile[]; readonly aliases: Aliases }
  | { readonly question: 'archive'; readonly archive: Uint8Array }
  | { readonly question: 'versions'; readonly index: Uint8Array; readonly name: string }

/** `fault`: what is wrong with the files; trying again with the same ones gives the same. */
export interface ChartAnswer {
  readonly facts?: ChartFacts
  readonly versions?: readonly PublishedVersion[]
  readonly fault?: string
}

export function answerTo(question: ChartQuestion): ChartAnswer {
  try {
    switch (question.question) {
      case 'facts':
        return { facts: factsOf(question.files, question.aliases) }
      case 'archive':
        return { facts: factsOfArchive(question.archive) }
      case 'versions':
        return { versions: versionsIn(question.index, question.name) }
    }
  } catch (cause) {
    if (isChartFault(cause) || cause instanceof RenderFault) return { fault: cause.message }
    throw cause
  }
}
