// All functions that templates in Go's language can call: Sprig 3.3.0's and Helm's, by name.
import { json } from './helm/json-functions.js'
import { toml } from './helm/toml-functions.js'
import { yaml } from './helm/yaml-functions.js'
import type { GoFunction } from './signature.js'
import { certificates } from './sprig/certificates.js'
import { dates } from './sprig/dates.js'
import { dicts } from './sprig/dicts.js'
import { encodings } from './sprig/encoding.js'
import { flow } from './sprig/flow.js'
import { lists } from './sprig/lists.js'
import { numbers } from './sprig/numbers.js'
import { passwords } from './sprig/passwords.js'
import { paths } from './sprig/paths.js'
import { random } from './sprig/random.js'
import { regex } from './sprig/regex.js'
import { semver } from './sprig/semver.js'
import { strings } from './sprig/strings.js'
import { texts } from './sprig/texts.js'
import { urls } from './sprig/url.js'
import { words } from './sprig/words.js'

export const goFunctions: ReadonlyMap<string, GoFunction> = new Map(
  [
    json,
    toml,
    yaml,
    certificates,
    dates,
    dicts,
    encodings,
    flow,
    lists,
    numbers,
    passwords,
    paths,
    random,
    regex,
    semver,
    strings,
    texts,
    urls,
    words,
  ]
    .flat()
    .map(each => [each.name, each]),
)
