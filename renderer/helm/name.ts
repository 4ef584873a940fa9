// `--name-template`: a release's name from a template of Go's language with Sprig's functions, and nothing to look at (`action.TemplateName`).
import { goFunctions } from '../functions/go.js'
import { type Call, CallError, type Chance } from '../functions/signature.js'
import { builtins, ExecError, execute, Namespace, ParseError, parse, Rendering } from '../gotemplate/index.js'
import { defaultLimits, Meter } from '../limits.js'
import { HelmFailure } from './template.js'

const functions = new Map([...[...builtins.values()].map(each => [each.name, each] as const), ...goFunctions])

/** Throws `HelmFailure`; `RenderFault` where a limit is reached. */
export function templatedName(template: string, chance: Chance): string {
  try {
    const file = parse('name-template', template, functions)
    const namespace = new Namespace()
    namespace.add(file)
    const meter = new Meter(defaultLimits)
    return execute(namespace, file.main, undefined, callOf(meter, chance), new Rendering(meter))
  } catch (cause) {
    if (cause instanceof ParseError || cause instanceof ExecError) throw new HelmFailure(cause.message)
    throw cause
  }
}

function callOf(meter: Meter, chance: Chance): Call {
  const never = (): never => {
    throw new CallError('a name has no other templates')
  }
  return { meter, include: never, tpl: never, lookup: never, sticky: (_name, _key, mint) => mint(chance) }
}
