// YAML text as plain JSON, for what is not a manifest of a release: declarations, `helm.values`.
import { RenderFault } from '../fault.js'
import { defaultLimits } from '../limits.js'
import { Int, isDict, isList, type Value } from '../value/value.js'
import { loadYaml } from './load.js'

/** Every document that is not empty. Throws `RenderFault`: `file:line:col: message`. */
export function readYaml(text: string, file: string): unknown[] {
  return loadYaml(text, { file, limits: defaultLimits, mode: 'manifest' })
    .filter(document => document.value !== null)
    .map(document => plain(document.value, file))
}

function plain(value: Value, file: string): unknown {
  if (value instanceof Int) throw new RenderFault('InvalidYaml', `${file}: ${value.value} is beyond 2^53; put it in quotes`)
  if (isList(value)) return value.map(item => plain(item, file))
  if (!isDict(value)) return value
  if (value.has('__proto__')) throw new RenderFault('InvalidYaml', `${file}: a key cannot be named __proto__`)
  return Object.fromEntries([...value].map(([key, item]) => [key, plain(item, file)] as const))
}
