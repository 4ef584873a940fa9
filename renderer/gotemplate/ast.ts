// The tree of a template: what the parser makes and the compiler reads; and how error messages show a piece of it.
import { quoted } from '../value/quote.js'

/** The file (or text given to `tpl`) that a tree was parsed from. */
export interface Source {
  /** As errors name it. */
  readonly name: string
  readonly text: string
}

/** Offset in the source, in UTF-16 units. */
interface At {
  readonly at: number
}

export interface TextNode extends At {
  readonly kind: 'text'
  readonly text: string
}
export interface CommentNode extends At {
  readonly kind: 'comment'
  readonly text: string
}
export interface ActionNode extends At {
  readonly kind: 'action'
  readonly pipe: PipeNode
}
/** `if`, `with` and `range`. */
export interface ControlNode extends At {
  readonly kind: 'if' | 'with' | 'range'
  readonly pipe: PipeNode
  readonly list: ListNode
  readonly otherwise: ListNode | undefined
}
export interface JumpNode extends At {
  readonly kind: 'break' | 'continue'
}
export interface TemplateNode extends At {
  readonly kind: 'template'
  readonly name: string
  readonly pipe: PipeNode | undefined
}
export interface ListNode extends At {
  readonly kind: 'list'
  readonly nodes: readonly StatementNode[]
}
export type StatementNode = TextNode | CommentNode | ActionNode | ControlNode | JumpNode | TemplateNode

export interface PipeNode extends At {
  readonly kind: 'pipe'
  readonly declares: readonly VariableNode[]
  /** `=` and not `:=`. */
  readonly assigns: boolean
  readonly commands: readonly CommandNode[]
}
export interface CommandNode extends At {
  readonly kind: 'command'
  readonly args: readonly OperandNode[]
}
export interface IdentifierNode extends At {
  readonly kind: 'identifier'
  readonly name: string
}
/** `$x.a.b`. */
export interface VariableNode extends At {
  readonly kind: 'variable'
  readonly name: string
  readonly fields: readonly string[]
}
export interface FieldNode extends At {
  readonly kind: 'field'
  readonly fields: readonly string[]
}
/** `(pipeline).a.b`, `function.a`. */
export interface ChainNode extends At {
  readonly kind: 'chain'
  readonly of: OperandNode
  readonly fields: readonly string[]
}
export interface DotNode extends At {
  readonly kind: 'dot'
}
export interface NilNode extends At {
  readonly kind: 'nil'
}
export interface BoolNode extends At {
  readonly kind: 'bool'
  readonly value: boolean
}
export interface StringNode extends At {
  readonly kind: 'string'
  /** As it stands in the source. */
  readonly source: string
  readonly value: string
}
/** A literal under every type that can hold it, as Go's ideal constants are. */
export interface NumberNode extends At {
  readonly kind: 'number'
  readonly source: string
  readonly int: bigint | undefined
  readonly uint: bigint | undefined
  readonly float: number | undefined
  readonly complex: readonly [number, number] | undefined
}
export type OperandNode =
  | IdentifierNode
  | VariableNode
  | FieldNode
  | ChainNode
  | DotNode
  | NilNode
  | BoolNode
  | StringNode
  | NumberNode
  | PipeNode

export type Node = StatementNode | ListNode | PipeNode | CommandNode | OperandNode

/** As Go prints it between `<` and `>` of an error. */
export function nodeText(node: Node): string {
  switch (node.kind) {
    case 'text':
      return quoted(node.text)
    case 'comment':
      return `{{${node.text}}}`
    case 'action':
      return `{{${nodeText(node.pipe)}}}`
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`
    case 'template':
      return `{{template ${quoted(node.name)}${node.pipe === undefined ? '' : ' ' + nodeText(node.pipe)}}}`
    case 'if':
    case 'with':
    case 'range':
      return controlText(node)
    case 'list':
      return node.nodes.map(nodeText).join('')
    case 'pipe':
      return pipeText(node)
    case 'command':
      return node.args.map(argumentText).join(' ')
    default:
      return operandText(node)
  }
}

function operandText(node: Exclude<OperandNode, PipeNode>): string {
  switch (node.kind) {
    case 'identifier':
      return node.name
    case 'variable':
      return [node.name, ...node.fields].join('.')
    case 'field':
      return fieldsText(node.fields)
    case 'chain':
      return argumentText(node.of) + fieldsText(node.fields)
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'bool':
      return String(node.value)
    default:
      return node.source
  }
}

function controlText(node: ControlNode): string {
  const otherwise = node.otherwise === undefined ? '' : '{{else}}' + nodeText(node.otherwise)
  return `{{${node.kind} ${nodeText(node.pipe)}}}${nodeText(node.list)}${otherwise}{{end}}`
}

function pipeText(node: PipeNode): string {
  const names = node.declares.map(nodeText).join(', ')
  const declares = names === '' ? '' : names + (node.assigns ? ' = ' : ' := ')
  return declares + node.commands.map(nodeText).join(' | ')
}

function argumentText(node: OperandNode): string {
  return node.kind === 'pipe' ? `(${nodeText(node)})` : nodeText(node)
}

function fieldsText(fields: readonly string[]): string {
  return fields.map(field => '.' + field).join('')
}

/** What Go's `unicode.IsSpace` takes for space. */
const blank = /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/

/** Nothing but space and comments: such a definition never replaces another (text/template/parse `IsEmptyTree`). */
export function isBlank(list: ListNode): boolean {
  return list.nodes.every(node => node.kind === 'comment' || (node.kind === 'text' && blank.test(node.text)))
}
