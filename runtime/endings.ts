// What is left of tombstones that nobody asks about any more: the last order of each application that ended here, so that no older one
// is ever obeyed again. Pure.
import { type DesiredDocument, isNewer, type Sequence } from './contract/documents.js'

export interface Endings {
  /** Last orders by application name. */
  readonly last: Readonly<Record<string, Sequence>>
  /**
   * The newest order of those that were dropped. Of an application that is not known here nothing is begun by an order that is not
   * newer: it may be one whose ending was dropped. The controller begins whatever is new with an order after all that it has ended.
   */
  readonly floor: Sequence
}

export const noEndings: Endings = { last: {}, floor: { epoch: 0, generation: 0 } }

/** About 80 bytes each. */
const mostKept = 5_000

/** With one more. The oldest orders make room, of whichever epoch. */
export function withEnding(endings: Endings, application: string, order: Sequence, most = mostKept): Endings {
  const { epoch, generation } = order
  const all = Object.entries({ ...endings.last, [application]: { epoch, generation } })
  const oldestFirst = [...all].sort(([, a], [, b]) => (isNewer(a, b) ? 1 : -1))
  const dropped = oldestFirst.slice(0, Math.max(0, all.length - most))
  const gone = new Set(dropped.map(([name]) => name))
  const [, newest] = dropped.at(-1) ?? ['', endings.floor]
  return {
    last: Object.fromEntries(all.filter(([name]) => !gone.has(name))),
    floor: isNewer(newest, endings.floor) ? newest : endings.floor,
  }
}

/**
 * Where they could not be read: of epochs before that of the newest order obeyed nothing begins any more. Of its own epoch whatever comes
 * does, as it did when nothing had ended yet: nobody could be told to begin otherwise.
 */
export function endingsLost(obeyed: Iterable<Sequence>): Endings {
  const epoch = highestEpoch(noEndings, obeyed)
  return epoch === 0 ? noEndings : { last: {}, floor: { epoch: epoch - 1, generation: Number.MAX_SAFE_INTEGER } }
}

/** Of what was obeyed here and cannot be read any more whatever comes is obeyed again: it has not ended. */
export function withUnread(endings: Endings, applications: readonly string[]): Endings {
  const last = applications.map(name => [name, noEndings.floor] as const)
  return { ...endings, last: { ...Object.fromEntries(last), ...endings.last } }
}

/** What lay on the disk. A former version kept an epoch only as floor: nothing of it is begun. */
export function readEndings(value: unknown): Endings {
  const { last, floor } = (value ?? {}) as Partial<Record<keyof Endings, unknown>>
  const isWhole = typeof floor === 'number' || isSequence(floor)
  if (typeof last !== 'object' || last === null || !isWhole || !Object.values(last).every(isSequence))
    throw new Error('it holds no endings')
  const former = (epoch: number) => ({ epoch, generation: epoch === 0 ? 0 : Number.MAX_SAFE_INTEGER })
  return { last: last as Endings['last'], floor: typeof floor === 'number' ? former(floor) : (floor as Sequence) }
}

function isSequence(value: unknown): value is Sequence {
  const { epoch, generation } = (value ?? {}) as Partial<Record<keyof Sequence, unknown>>
  return Number.isSafeInteger(epoch) && Number.isSafeInteger(generation)
}

/**
 * May it be obeyed, where nothing is obeyed of its application now? The tombstone itself may come again: from a store that was lost,
 * for somebody who has not heard yet that it ended.
 */
export function mayBegin(endings: Endings, document: Sequence & Pick<DesiredDocument, 'application' | 'deleted'>): boolean {
  const last = endings.last[document.application.name]
  if (last === undefined) return isNewer(document, endings.floor)
  return isNewer(document, last) || (document.deleted && !isNewer(last, document))
}

/** Orders of lower epochs are not obeyed, of some application at least. */
export function highestEpoch({ last, floor }: Endings, obeyed: Iterable<Sequence>): number {
  return highest(
    [...Object.values(last), ...obeyed].map(({ epoch }) => epoch),
    floor.epoch,
  )
}

/** One after the other: more arguments than the stack holds are no list that Math.max takes. */
function highest(numbers: readonly number[], least = 0): number {
  return numbers.reduce((most, each) => Math.max(most, each), least)
}
