// Sprig's defaults and choices (defaults.go, flow control), and what a value's type is (reflect.go).
import { deepEqual } from '../../value/compare.js'
import { isTrue, kindOf, typeOf, type Value } from '../../value/value.js'
import type { GoFunction } from '../signature.js'
import { define, fail, text } from './define.js'

// Sprig's `empty` is text/template's truth turned round: a struct is never empty, a nil is.
export const flow: readonly GoFunction[] = [
  define('default', ['any', '...any'], args => (args.length > 1 && isTrue(args[1] as Value) ? args[1] : args[0]) as Value),
  define('empty', ['any'], args => !isTrue(args[0] as Value)),
  define('coalesce', ['...any'], args => args.find(isTrue) ?? null),
  define('all', ['...any'], args => args.every(isTrue)),
  define('any', ['...any'], args => args.some(isTrue)),
  define('ternary', ['any', 'any', 'bool'], args => (args[2] === true ? args[0] : args[1]) as Value),
  define('fail', ['string'], args => fail(text(args, 0))),

  define('typeOf', ['any'], args => typeOf(args[0] as Value)),
  define('typeIs', ['string', 'any'], args => text(args, 0) === typeOf(args[1] as Value)),
  define('typeIsLike', ['string', 'any'], args => {
    const type = typeOf(args[1] as Value)
    return text(args, 0) === type || `*${text(args, 0)}` === type
  }),
  define('kindOf', ['any'], args => kindOf(args[0] as Value)),
  define('kindIs', ['string', 'any'], args => text(args, 0) === kindOf(args[1] as Value)),
  define('deepEqual', ['any', 'any'], args => deepEqual(args[0] as Value, args[1] as Value)),
]
