// Helm's errors as people are told them: the file, the line, and what stands there; values and secrets not among it.
import { ChartError } from '../chart/metadata.js'
import { excerptOf, faultAt, holdsSecrets, type Place, RenderFault } from '../fault.js'
import { ExecError, ParseError } from '../gotemplate/index.js'
import { withoutValues } from '../value/masked.js'
import { CoalesceError } from '../values/coalesce.js'
import { DecodeError } from '../yaml/decode.js'
import { faultPlace } from '../yaml/load.js'
import { EngineError } from './engine.js'
import { refusalIn } from './functions.js'
import { OutputError } from './output.js'
import { SchemaViolation } from './render.js'

/** What is no error of Helm's comes back as it is. `sourceOf`: a template's own text, by its path. */
export function faultOf(cause: unknown, sourceOf: (path: string) => string): unknown {
  if (cause instanceof SchemaViolation) return new RenderFault('InvalidValues', withoutShownValues(cause.message))
  if (cause instanceof CoalesceError) {
    const { subchart, is } = cause
    return new RenderFault(
      'InvalidValues',
      `type mismatch on ${subchart}: what values give for subchart ${subchart} must be a map, and is a ${is}; look at ${subchart} in the values`,
    )
  }
  if (cause instanceof ChartError || cause instanceof DecodeError) return new RenderFault('InvalidChart', cause.message)
  if (cause instanceof OutputError) return outputFault(cause, sourceOf(cause.path))
  if (cause instanceof EngineError) return templateFault(cause)
  return cause
}

/** `templates/web.yaml`, `charts/redis/templates/web.yaml`: without the chart's own name. */
export function relative(path: string): string {
  return path.slice(path.indexOf('/') + 1)
}

/** `- at '/password': '…' does not match pattern '^x'`: two complaints of a schema show the value. */
function withoutShownValues(message: string): string {
  return message.replace(/^( *- at '[^']*': )'(?:[^'\\]|\\.)*'(?= does not match pattern | is not valid )/gm, "$1'…'")
}

function outputFault(error: OutputError, source: string): RenderFault {
  const path = relative(error.path)
  const hide = holdsSecrets(source) || holdsSecrets(error.written) ? 'texts' : 'nothing'
  return new RenderFault('InvalidYaml', `${path}: ${error.what}`, renderedExcerpt(error, path, hide))
}

/** Of a document without a place to show. */
const firstLines = 5

/**
 * ```
 * what templates/web.yaml rendered (document 2):
 *   1 | kind: B
 *   2 |  name: b
 *     |      ^
 * ```
 */
export function renderedExcerpt({ written, what, document }: OutputError, path: string, hide: 'nothing' | 'texts'): string {
  const told = Number(/\byaml: line (\d+):/.exec(what)?.[1] ?? 0)
  const line = told > 0 ? told : Math.min(firstLines, written.split('\n').length)
  const place = faultPlace(written) ?? { file: '', line, column: 0 }
  const which = document === 0 ? '' : ` (document ${document})`
  return `what ${path} rendered${which}:\n${excerptOf(written, place, hide)}`
}

/** The innermost template's place and words; what `fail` and `required` say, as it is. */
export function templateFault(error: EngineError): RenderFault {
  const all = chainOf(error.origin)
  const found = all.at(-1)
  if (found === undefined) return new RenderFault('TemplateError', error.message)
  if (!isText(found)) return faultHere(found, wordsOf(found))
  const { line, column } = found.place
  const where = column > 0 ? `${line}:${column}` : `line ${line}`
  const words = `in the text that tpl was given, ${where}: ${wordsOf(found)}`
  const caller = all.findLast(one => !isText(one))
  if (caller === undefined) return faultHere(found, words)
  const fault = faultHere(caller, words)
  return new RenderFault(
    fault.reason,
    fault.message,
    `${fault.excerpt}\nthe text:\n${excerptOf(found.source.text, found.place, 'texts')}`,
  )
}

/** From the outermost template to the one where it began. */
function chainOf(error: ExecError | ParseError | null): readonly (ExecError | ParseError)[] {
  const all: (ExecError | ParseError)[] = []
  for (let at: unknown = error; at instanceof ExecError || at instanceof ParseError; at = at.cause) all.push(at)
  return all
}

/** A text of `tpl`, which may be of values. */
function isText({ source }: ExecError | ParseError): boolean {
  return source.name === 'gotpl'
}

function wordsOf(error: ExecError | ParseError): string {
  const given = error instanceof ExecError ? error.given : []
  return refusalIn(error.what) ?? withoutValues(error.what, given, error.source.text)
}

function faultHere({ place, source }: ExecError | ParseError, what: string): RenderFault {
  const at: Place = { ...place, file: relative(place.file) }
  return faultAt(
    'TemplateError',
    at,
    what,
    source.text,
    holdsSecrets(source.text) || source.name === 'gotpl' ? 'texts' : 'nothing',
  )
}
