// What is left of tombstones that nobody asks about any more: the last order of each application that ended here, so that no older one
// is ever obeyed again. Pure.
import { type DesiredDocument, isNewer, type Sequence } from './contract/documents.js'

export interface Endings {
  /** Last orders by application name. */
  readonly last: Readonly<Record<string, Sequence>>
  /** Of epochs up to this one an application that is not known here is never begun: it may be one whose ending was dropped. */
  readonly floor: number
}

export const noEndings: Endings = { last: {}, floor: 0 }

/** About 80 bytes each. */
const mostKept = 5_000

/** With one more. Those of former epochs make room, the oldest first; of the newest epoch none is dropped, for new ones begin in it. */
export function withEnding(endings: Endings, application: string, order: Sequence, most = mostKept): Endings {
  const { epoch, generation } = order
  const all = Object.entries({ ...endings.last, [application]: { epoch, generation } })
  const newest = highest(all.map(([, each]) => each.epoch))
  const former = all.filter(([, each]) => each.epoch < newest).sort(([, a], [, b]) => (isNewer(a, b) ? 1 : -1))
  const dropped = former.slice(0, Math.max(0, all.length - most))
  const gone = new Set(dropped.map(([name]) => name))
  return {
    last: Object.fromEntries(all.filter(([name]) => !gone.has(name))),
    floor: highest(
      dropped.map(([, each]) => each.epoch),
      endings.floor,
    ),
  }
}

/**
 * May it be obeyed, where nothing is obeyed of its application now? The tombstone itself may come again: from a store that was lost,
 * for somebody who has not heard yet that it ended.
 */
export function mayBegin(endings: Endings, document: Sequence & Pick<DesiredDocument, 'application' | 'deleted'>): boolean {
  const last = endings.last[document.application.name]
  if (last === undefined) return document.epoch > endings.floor
  return isNewer(document, last) || (document.deleted && !isNewer(last, document))
}

/** Orders of lower epochs are not obeyed, of some application at least. */
export function highestEpoch({ last, floor }: Endings, obeyed: Iterable<Sequence>): number {
  return highest(
    [...Object.values(last), ...obeyed].map(({ epoch }) => epoch),
    floor,
  )
}

/** One after the other: more arguments than the stack holds are no list that Math.max takes. */
function highest(numbers: readonly number[], least = 0): number {
  return numbers.reduce((most, each) => Math.max(most, each), least)
}
