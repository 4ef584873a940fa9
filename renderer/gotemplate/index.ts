// Go's text/template: texts are parsed once, gathered in a namespace, and executed by name any number of times.
import type { Call } from '../functions/signature.js'
import type { Template } from './compile.js'
import { Frame, type Maybe, placed, type Rendering, type Templates } from './frame.js'

export { builtins } from './builtins.js'
export type { Template } from './compile.js'
export { ExecError, ParseError } from './error.js'
export { type MissingKey, Rendering } from './frame.js'
export { Namespace } from './namespace.js'
export { type ParsedFile, parse } from './parsed.js'
export { noValue } from './print.js'
export { type CallPlace, type LoopKey, type Site, siteOf } from './site.js'

/**
 * What a template writes with `dot` as its context. `{{template}}` finds others in `templates`; functions are given `call`.
 * All executions of one render share `rendering`, also those that `include` and `tpl` start inside one another.
 * Throws ExecError in Go's words, or a RenderFault with its place where a limit is reached.
 */
export function execute(templates: Templates, template: Template, dot: Maybe, call: Call, rendering: Rendering): string {
  const { frame: caller, depth } = rendering
  try {
    rendering.meter.depth(++rendering.depth)
    const frame = new Frame(template, templates, rendering, call, dot, [])
    rendering.frame = frame
    template.body(frame, dot)
    return frame.out.join('')
  } catch (error) {
    throw rendering.frame instanceof Frame ? placed(error, rendering.frame, caller === undefined) : error
  } finally {
    rendering.frame = caller
    rendering.depth = depth
  }
}
