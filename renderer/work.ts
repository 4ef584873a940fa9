// How much the functions of one render go through, counted wherever they do: a value that holds one thing many times over is small in memory
// and without end once it is written out, and a call on a long list or text is no short step. Renders of a process come one after another, each
// without a pause, so that one count is enough.
import { RenderFault } from './fault.js'

let most = Number.POSITIVE_INFINITY
let done = 0

/** Of a new render. */
export function beginWork(limit: number): void {
  most = limit
  done = 0
}

/** One unit is a part of a value that is looked at, or some thirty characters: about 50 ns. Throws `RenderFault`, whose place the evaluator adds. */
export function work(units = 1): void {
  done += units
  if (done > most) throw exceeded()
}

/** Of arguments that are long. */
export function workOn(value: unknown): void {
  if (typeof value === 'string') {
    if (value.length > longText) work(value.length >> 5)
  } else if (Array.isArray(value)) {
    if (value.length > longList) work(value.length)
  } else if (value instanceof Map && value.size > longList) work(value.size)
}

const longText = 4_096
const longList = 256

/** Characters of one text, looked at while it is still being made. No function may give as many as that. */
const mostWritten = 8_000_000

/** Throws as `work` does. */
export function written(characters: number): void {
  if (characters > mostWritten)
    throw new RenderFault(
      'LimitExceeded',
      `a value of more than ${mostWritten} characters is written (the limit); what is repeated?`,
    )
}

function exceeded(): RenderFault {
  const what = `functions go through more than ${most} parts of values and texts (the limit)`
  return new RenderFault(
    'LimitExceeded',
    `${what}; is one thing in another many times over, or is a long one gone through in a loop?`,
  )
}
