// Sprig's `semver` and `semverCompare` (semver.go).
import type { GoFunction } from '../signature.js'
import { parseConstraints, satisfies } from './constraint.js'
import { define, text } from './define.js'
import { parseVersion } from './version.js'

export const semver: readonly GoFunction[] = [
  define('semver', ['string'], args => parseVersion(text(args, 0))),
  define('semverCompare', ['string', 'string'], args => {
    const constraints = parseConstraints(text(args, 0))
    return satisfies(parseVersion(text(args, 1)), constraints)
  }),
]
