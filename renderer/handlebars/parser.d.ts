// The part of the handlebars package that is used: its parser, on strings.
declare module 'handlebars/dist/cjs/handlebars/compiler/base.js' {
  interface Position {
    readonly first_line: number
    readonly first_column: number
  }
  const base: {
    parse(input: string): unknown
    readonly parser: {
      parseError: (
        message: string,
        hash: { readonly expected?: readonly string[]; readonly token?: string | null; readonly line?: number },
      ) => never
      readonly lexer: { readonly yylloc: Position; readonly yylineno: number }
    }
  }
  export default base
}
