// Which piece of a pipeline Go looked at last: an error behind it is told there (text/template exec.go `state.at`).
import type { CommandNode, Node, OperandNode, PipeNode } from './ast.js'
import type { Frame } from './frame.js'

/** undefined: it is decided while it runs, by an `and` or `or` or by a method that is there or not, and said in `frame.last`. */
type Last = Node | undefined

/** Where an error is told that comes up behind this piece. */
export type Where = (frame: Frame) => Node

export function where(last: Last, otherwise: Node): Where {
  return last === undefined ? frame => frame.last ?? otherwise : () => last
}

export function lastOfPipe(pipe: PipeNode): Last {
  const command = pipe.commands.at(-1)
  return command === undefined ? pipe : lastOfCommand(command)
}

export function lastOfCommand(command: CommandNode): Last {
  const [first, ...rest] = command.args as [OperandNode, ...OperandNode[]]
  const argument = rest.at(-1)
  if (first.kind === 'identifier' && (first.name === 'and' || first.name === 'or') && rest.length > 1) return undefined
  const isMethod = argument !== undefined && (first.kind === 'field' || first.kind === 'chain' || first.kind === 'variable')
  return isMethod ? undefined : lastOfOperand(argument ?? first)
}

export function lastOfOperand(node: OperandNode): Last {
  if (node.kind === 'pipe') return lastOfPipe(node)
  return node.kind === 'chain' ? lastOfOperand(node.of) : node
}
