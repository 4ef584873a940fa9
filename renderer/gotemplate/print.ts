// What `{{value}}` writes.
import { sprint } from '../value/format.js'
import { Struct } from '../value/value.js'
import { type Node, nodeText } from './ast.js'
import { type Frame, failure, type Maybe } from './frame.js'

/** Helm takes these words out of the finished output. */
export const noValue = '<no value>'

export function printed(frame: Frame, value: Maybe, node: Node): string {
  if (value === undefined || value === null) return noValue
  if (!(value instanceof Struct)) return sprint(value)
  if (value.kind === 'func' || value.kind === 'chan')
    throw failure(frame, node, `can't print ${nodeText(node)} of type ${value.type}`)
  if (value.shown !== undefined) return value.shown
  const text = sprint(value)
  // A pointer is printed as what it points to.
  return value.kind === 'ptr' && value.fields() !== undefined ? text.replace(/^&/, '') : text
}
