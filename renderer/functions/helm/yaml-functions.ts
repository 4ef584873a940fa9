// YAML in templates, as Helm's engine has it (pkg/engine/funcs.go): what cannot be written is '', what cannot be read is told in the value.
import { isNil, type Value } from '../../value/value.js'
import { DecodeError, unmarshalList, unmarshalMap } from '../../yaml/decode.js'
import { toYaml } from '../../yaml/encode.js'
import type { GoFunction } from '../signature.js'
import { boundedText, define, text } from '../sprig/define.js'
import { prettyYaml } from './yaml-pretty.js'

export const yaml: readonly GoFunction[] = [
  define('toYaml', ['any'], (args, call) => boundedText(toYaml(args[0] as Value), call)),
  define('toYamlPretty', ['any'], (args, call) => boundedText(prettyYaml(args[0] as Value), call)),
  define('fromYaml', ['string'], args =>
    orError(
      () => present(unmarshalMap(text(args, 0)), new Map()),
      message => new Map([['Error', message]]),
    ),
  ),
  define('fromYamlArray', ['string'], args =>
    orError(
      () => present(unmarshalList(text(args, 0)), []),
      message => [message],
    ),
  ),
]

function orError(read: () => Value, told: (message: string) => Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof DecodeError) return told(error.message)
    throw error
  }
}

/** An empty document leaves what Helm reads into as it was: empty, but not nil. */
function present(value: Value, empty: Value): Value {
  return isNil(value) ? empty : value
}
