// Templates as values: another template's output, and a text evaluated as a template.
import { argument, define, type Family, textArg } from './function.js'

export const templates: Family = [
  define('include', [1, 2], (args, call) => call.include(textArg(args, 0), argument(args, 1))),
  define('tpl', 2, (args, call) => call.evaluate(textArg(args, 0), argument(args, 1))),
]
