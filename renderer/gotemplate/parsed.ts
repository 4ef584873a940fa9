// A parsed text: its templates by name. Nothing in it belongs to one render, so that all renders may share it.
import type { GoFunction } from '../functions/signature.js'
import type { Source } from './ast.js'
import { Template } from './compile.js'
import { ParseError } from './error.js'
import { parseTrees } from './parser.js'

export interface ParsedFile {
  /** The text itself, under its own name; a blank one too. */
  readonly main: Template
  /** The text itself, and every `define` and `block` in it. */
  readonly templates: ReadonlyMap<string, Template>
}

/**
 * Parses a text. `functions` holds everything that may be called, the builtins among it; a name that is not in it is an error even
 * where it is never called. Throws ParseError, `template: NAME:LINE: MESSAGE`.
 */
export function parse(
  name: string,
  text: string,
  functions: ReadonlyMap<string, GoFunction>,
  delimiters?: readonly [string, string],
): ParsedFile {
  const source: Source = { name, text }
  const templates = new Map<string, Template>()
  for (const [key, list] of treesOf(source, functions, delimiters)) templates.set(key, new Template(key, source, list, functions))
  return { main: templates.get(name) as Template, templates }
}

function treesOf(source: Source, functions: ReadonlyMap<string, GoFunction>, delimiters?: readonly [string, string]) {
  try {
    return parseTrees(source, delimiters === undefined ? { functions } : { functions, delimiters })
  } catch (error) {
    throw error instanceof RangeError ? new ParseError(source, 1, 'max nesting depth exceeded') : error
  }
}
