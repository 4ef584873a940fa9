// The words of Go's template language, as the lexer hands them to the parser and as error messages name them.
import { quoted } from '../value/quote.js'
import { byteLength } from '../value/text.js'

/** Named as Go's own tests name them. */
export type TokenType =
  | 'error'
  | 'bool'
  | 'char'
  | 'charconst'
  | 'comment'
  | 'complex'
  | '='
  | ':='
  | 'EOF'
  | 'field'
  | 'identifier'
  | 'left delim'
  | '('
  | 'number'
  | 'pipe'
  | 'raw string'
  | 'right delim'
  | ')'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'
  | Keyword

export type Keyword =
  | '.'
  | 'block'
  | 'break'
  | 'continue'
  | 'define'
  | 'else'
  | 'end'
  | 'if'
  | 'range'
  | 'nil'
  | 'template'
  | 'with'

const keywords: ReadonlySet<string> = new Set<Keyword>([
  '.',
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'nil',
  'template',
  'with',
])

export function isKeyword(word: string): word is Keyword {
  return keywords.has(word)
}

export interface Token {
  readonly type: TokenType
  /** Of an error: its message. */
  readonly text: string
  /** Offset in the source, in UTF-16 units. */
  readonly at: number
  /** Counted from 1. */
  readonly line: number
}

/** As messages show it: `<if>`, `"{{"`, a long one by its first ten characters. */
export function tokenText(token: Token): string {
  if (token.type === 'EOF') return 'EOF'
  if (token.type === 'error') return token.text
  if (isKeyword(token.type)) return `<${token.text}>`
  if (byteLength(token.text) > 10) return quoted(Array.from(token.text).slice(0, 10).join('')) + '...'
  return quoted(token.text)
}
