// Compiles pipelines, commands and operands to closures (text/template exec.go `evalPipeline` and what it calls is the rule).
import type { GoFunction } from '../functions/signature.js'
import { Complex } from '../value/complex.js'
import { int, isTrue, type ParamType, typeOf, type Value } from '../value/value.js'
import {
  type CommandNode,
  type IdentifierNode,
  type Node,
  type NumberNode,
  nodeText,
  type OperandNode,
  type PipeNode,
} from './ast.js'
import { andFunction, callFunctionByName, callName, orFunction } from './builtins.js'
import { callFunction, checked, countError, gather, paramAt } from './call.js'
import { compileFields, compileMethod } from './fields.js'
import { type Evaluate, type Frame, failure, type Maybe } from './frame.js'
import { lastOfCommand, lastOfOperand, lastOfPipe, type Where, where } from './last.js'
import type { Scope, Variable } from './scope.js'
import { nilOf, typeName } from './types.js'

/** `piped`: what the command before it gave; unused in a pipeline's first. */
type Command = (frame: Frame, dot: Maybe, piped: Maybe) => Maybe

/** Variables that the pipeline declares are in scope behind it. `holder`: the slot of the collection, in a range. */
export function compilePipe(scope: Scope, pipe: PipeNode, holder?: number): Evaluate {
  const run = compileCommands(scope, pipe)
  if (pipe.declares.length === 0) return run
  const slots = pipe.declares.map((variable, at) => {
    if (!pipe.assigns) return scope.declare(variable.name, at === pipe.declares.length - 1 ? holder : undefined)
    const known = scope.find(variable.name)
    if (known !== undefined) known.holder = at === pipe.declares.length - 1 ? holder : undefined
    return known?.slot ?? -1
  })
  const unknown = pipe.declares[slots.indexOf(-1)]
  const at = where(lastOfPipe(pipe), pipe)
  return (frame, dot) => {
    const value = run(frame, dot)
    for (const slot of slots) {
      if (slot < 0) throw failure(frame, at(frame), `undefined variable: ${unknown?.name}`)
      frame.slots[slot] = value
    }
    return value
  }
}

/** A pipeline that ends in nil has no value. */
function compileCommands(scope: Scope, pipe: PipeNode): Evaluate {
  const [first, ...rest] = pipe.commands.map((command, at) => compileCommand(scope, pipe, command, at)) as [Command, ...Command[]]
  if (rest.length === 0) return (frame, dot) => first(frame, dot, undefined) ?? undefined
  const [second] = rest as [Command]
  if (rest.length === 1) return (frame, dot) => second(frame, dot, first(frame, dot, undefined) ?? undefined) ?? undefined
  return (frame, dot) => {
    let value = first(frame, dot, undefined) ?? undefined
    for (const command of rest) value = command(frame, dot, value) ?? undefined
    return value
  }
}

function compileCommand(scope: Scope, pipe: PipeNode, command: CommandNode, at: number): Command {
  const [first, ...args] = command.args as [OperandNode, ...OperandNode[]]
  const piped = at > 0
  switch (first.kind) {
    case 'identifier':
      return compileCall(scope, first, command, args, piped)
    case 'field':
    case 'chain':
      return compileChain(scope, first, first.fields, args, piped)
    case 'variable':
      if (first.fields.length > 0) return compileChain(scope, first, first.fields, args, piped)
      return args.length > 0 || piped ? notFunction(first, () => first) : compileVariable(scope, first)
    case 'pipe': {
      const before = pipe.commands[at - 1]
      const told = before === undefined ? where(pipe, pipe) : where(lastOfCommand(before), pipe)
      return args.length > 0 || piped ? notFunction(first, told) : compilePipe(scope, first)
    }
    default:
      return args.length > 0 || piped ? notFunction(first, () => first) : compileFixed(first)
  }
}

function notFunction(node: OperandNode, at: Where): Command {
  return frame => {
    throw failure(frame, at(frame), `can't give argument to non-function ${nodeText(node)}`)
  }
}

/** A literal, or the dot. */
function compileFixed(node: OperandNode): Evaluate {
  switch (node.kind) {
    case 'dot':
      return (_, dot) => dot
    case 'bool':
    case 'string':
      return constant(node.value)
    case 'number':
      return compileNumber(node)
    default:
      return frame => {
        throw failure(frame, node, 'nil is not a command')
      }
  }
}

function constant(value: Maybe): Evaluate {
  return () => value
}

/** What a number is where nothing asks for a type: its spelling tells. */
function compileNumber(node: NumberNode): Evaluate {
  if (node.complex !== undefined) return constant(new Complex(...node.complex))
  const { source } = node
  const isRune = source.startsWith("'")
  const isHex = /^0[xX]./.test(source) && !/[pP]/.test(source)
  if (node.float !== undefined && !isHex && !isRune && /[.eEpP]/.test(source)) return constant(node.float)
  if (node.int !== undefined) return constant(int(node.int))
  return frame => {
    throw failure(frame, node, `${source} overflows int`)
  }
}

function compileVariable(scope: Scope, node: OperandNode & { readonly kind: 'variable' }): Evaluate {
  const variable = scope.find(node.name)
  if (variable === undefined)
    return frame => {
      throw failure(frame, node, `undefined variable: ${node.name}`)
    }
  const { slot } = variable
  return frame => frame.slots[slot]
}

type ChainedNode = OperandNode & { readonly kind: 'field' | 'chain' | 'variable' }

function compileChain(
  scope: Scope,
  node: ChainedNode,
  fields: readonly string[],
  args: readonly OperandNode[],
  piped: boolean,
): Command {
  const at = node.kind === 'chain' ? where(lastOfOperand(node.of), node) : () => node
  const holder = holderOf(scope, node)
  const base = baseOf(scope, node)
  if (args.length === 0 && !piped) return compileFields(base, fields, at, holder)
  const last = args.length === 0 ? at : where(lastOfOperand(args.at(-1) as OperandNode), node)
  return compileMethod(base, { fields, at, node, piped, last, holder, args: args.map(arg => argumentOf(scope, arg)) })
}

function holderOf(scope: Scope, node: ChainedNode): number | undefined {
  if (node.kind === 'field') return scope.dotHolder
  return node.kind === 'variable' ? (scope.find(node.name) as Variable | undefined)?.holder : undefined
}

/** What the fields are taken from. */
function baseOf(scope: Scope, node: ChainedNode): Evaluate {
  if (node.kind === 'field') return (_, dot) => dot
  return node.kind === 'variable' ? compileVariable(scope, node) : compileOperand(scope, node.of)
}

/** Compiled here and now, while the scope has its variables; only the type is asked for later. */
function argumentOf(scope: Scope, node: OperandNode): (type: ParamType) => Evaluate {
  if (isLiteral(node)) return type => compileLiteral(node, type)
  const run = compileOperand(scope, node)
  const at = where(lastOfOperand(node), node)
  return type => (frame, dot) => {
    const value = run(frame, dot)
    if (type === 'any') return value ?? null
    return typeof value === type ? value : checked(frame, value, type, at(frame))
  }
}

function compileCall(scope: Scope, node: IdentifierNode, command: Node, args: readonly OperandNode[], piped: boolean): Command {
  const fn = scope.functions.get(node.name) as GoFunction
  const wrong = countError(node.name, fn, args.length, piped)
  if (wrong !== undefined)
    return frame => {
      throw failure(frame, node, wrong)
    }
  if (fn === andFunction || fn === orFunction) return compileLogic(scope, fn === orFunction, args, piped)
  const written = args.map((arg, at) => compileArgument(scope, arg, paramAt(fn, at)))
  if (fn.name === callName) return compileNamedCall(written, args, command, piped)
  const gathered = gather(written)
  if (!piped) return (frame, dot) => callFunction(frame, fn, gathered(frame, dot), command)
  const type = paramAt(fn, args.length)
  const last = args.at(-1)
  const at = last === undefined ? () => node : where(lastOfOperand(last), node)
  return (frame, dot, value) => {
    const values = gathered(frame, dot)
    values.push(typeof value === type ? (value as Value) : checked(frame, value, type, at(frame)))
    return callFunction(frame, fn, values, command)
  }
}

/** `call` says in its errors what it was asked to call. */
function compileNamedCall(written: readonly Evaluate[], args: readonly OperandNode[], command: Node, piped: boolean): Command {
  const gathered = gather(written)
  const [first] = args
  return (frame, dot, value) => {
    const values = gathered(frame, dot)
    if (piped) values.push(value ?? null)
    return callFunction(frame, callFunctionByName(first === undefined ? calleeText(value) : nodeText(first)), values, command)
  }
}

/** reflect.Value's own text. */
function calleeText(value: Maybe): string {
  if (typeof value === 'string') return value
  return value === undefined ? '<invalid Value>' : `<${typeOf(value)} Value>`
}

/** `and` and `or` give the operand that decides and look at no further one. */
function compileLogic(scope: Scope, until: boolean, args: readonly OperandNode[], piped: boolean): Command {
  const operands = args.map(arg => compileArgument(scope, arg, 'any'))
  const lasts = args.map(lastOfOperand)
  const count = operands.length
  return (frame, dot, value) => {
    let result: Maybe = piped ? value : undefined
    for (let at = 0; at < count; at++) {
      const operand = (operands[at] as Evaluate)(frame, dot)
      frame.last = lasts[at] ?? frame.last
      if (isTrue(operand as Value) === until) return operand
      if (!piped) result = operand
    }
    return result
  }
}

/** An operand as a function's argument of this type. */
export function compileArgument(scope: Scope, node: OperandNode, type: ParamType): Evaluate {
  if (isLiteral(node)) return compileLiteral(node, type)
  const run = compileOperand(scope, node)
  if (type === 'any') return (frame, dot) => run(frame, dot) ?? null
  if (type === 'reflect.Value') return run
  const at = where(lastOfOperand(node), node)
  return (frame, dot) => {
    const value = run(frame, dot)
    return typeof value === type ? value : checked(frame, value, type, at(frame))
  }
}

function compileOperand(scope: Scope, node: OperandNode): Evaluate {
  switch (node.kind) {
    case 'pipe':
      return compilePipe(scope, node)
    case 'identifier':
      return compileCall(scope, node, node, [], false) as Evaluate
    case 'field':
    case 'chain':
      return compileChain(scope, node, node.fields, [], false) as Evaluate
    case 'variable':
      return node.fields.length === 0
        ? compileVariable(scope, node)
        : (compileChain(scope, node, node.fields, [], false) as Evaluate)
    default:
      return compileFixed(node)
  }
}

type LiteralNode = OperandNode & { readonly kind: 'nil' | 'bool' | 'string' | 'number' }

function isLiteral(node: OperandNode): node is LiteralNode {
  return node.kind === 'nil' || node.kind === 'bool' || node.kind === 'string' || node.kind === 'number'
}

/** A literal becomes what the parameter asks for, if it can be that. */
function compileLiteral(node: LiteralNode, type: ParamType): Evaluate {
  if (node.kind === 'nil' && type === 'reflect.Value') return constant(undefined)
  if (node.kind === 'nil') {
    const nil = nilOf(type)
    return nil === undefined ? fails(node, `cannot assign nil to ${typeName(type)}`) : () => nilOf(type)
  }
  if (type === 'any' || type === 'reflect.Value') return compileFixed(node)
  if (type === 'string') return node.kind === 'string' ? constant(node.value) : expected('string', node)
  if (type === 'bool') return node.kind === 'bool' ? constant(node.value) : expected('bool', node)
  if (node.kind === 'number') {
    if (type === 'float64') return node.float === undefined ? expected('float', node) : constant(node.float)
    if (type === 'int' || type === 'int64')
      return node.int === undefined ? expected('integer', node) : constant(int(node.int, type))
    if (type === 'uint32')
      return node.uint === undefined ? expected('unsigned integer', node) : constant(int(BigInt.asUintN(32, node.uint), type))
  }
  const wanted = { float64: 'float', int: 'integer', int64: 'integer', uint32: 'unsigned integer' }[type as string]
  return wanted === undefined
    ? fails(node, `can't handle ${nodeText(node)} for arg of type ${typeName(type)}`)
    : expected(wanted, node)
}

function expected(what: string, node: LiteralNode): Evaluate {
  return fails(node, `expected ${what}; found ${nodeText(node)}`)
}

function fails(node: Node, what: string): Evaluate {
  return frame => {
    throw failure(frame, node, what)
  }
}
