// All functions that templates in Go's language can call: Sprig 3.3.0's and Helm's, by name.
import { json } from './helm/json-functions.js'
import type { GoFunction } from './signature.js'
import { dicts } from './sprig/dicts.js'
import { flow } from './sprig/flow.js'
import { lists } from './sprig/lists.js'
import { numbers } from './sprig/numbers.js'
import { regex } from './sprig/regex.js'
import { semver } from './sprig/semver.js'
import { strings } from './sprig/strings.js'
import { texts } from './sprig/texts.js'
import { words } from './sprig/words.js'

export const goFunctions: ReadonlyMap<string, GoFunction> = new Map(
  [...json, ...dicts, ...flow, ...lists, ...numbers, ...regex, ...semver, ...strings, ...texts, ...words].map(each => [
    each.name,
    each,
  ]),
)
