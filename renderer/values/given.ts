// What a user gives for one render, merged: value files, inline values, and Argo CD's parameters, which are the lines of `--set`.
import { RenderFault } from '../fault.js'
import { defaultLimits } from '../limits.js'
import { textOf } from '../value/text.js'
import type { Dict, Value } from '../value/value.js'
import { DecodeError, unmarshalMap } from '../yaml/decode.js'
import { loadYaml } from '../yaml/load.js'
import { mergeMaps } from './options.js'
import { StrvalsError, setInto } from './strvals.js'

export interface ValueInputs {
  /** As declared, already read; null: there is no such file. */
  readonly valueFiles: readonly { readonly name: string; readonly bytes: Uint8Array | null }[]
  readonly ignoreMissingValueFiles: boolean
  readonly values: Readonly<Record<string, unknown>>
  readonly parameters: readonly { readonly name: string; readonly value: string; readonly forceString: boolean }[]
  /** `--set-file`: the file's text is the value. null: there is no such file. */
  readonly fileParameters?: readonly { readonly name: string; readonly path: string; readonly bytes: Uint8Array | null }[]
}

/** Value files in order, inline values, parameters (of files last, as Helm has it): each above the one before. Throws `RenderFault`. */
export function givenValues(options: ValueInputs): Dict {
  let values: Dict = new Map()
  for (const { name, bytes } of options.valueFiles) {
    if (bytes !== null) values = mergeMaps(values, valuesIn(name, bytes))
    else if (!options.ignoreMissingValueFiles)
      throw new RenderFault(
        'MissingValueFile',
        `value file ${name} is not in this commit; add it, or set ignoreMissingValueFiles`,
      )
  }
  values = mergeMaps(values, fromJson(options.values) as Dict)
  for (const { name, value, forceString } of options.parameters) {
    const list = value.startsWith('{') && value.endsWith('}')
    const line = `${name}=${list ? value : value.replace(/(?<!\\),/g, '\\,')}`
    try {
      setInto(values, line, { kind: forceString ? 'string' : 'typed' })
    } catch (cause) {
      if (!(cause instanceof StrvalsError)) throw cause
      throw new RenderFault('InvalidValues', `parameter ${name}: ${cause.message}`)
    }
  }
  for (const parameter of options.fileParameters ?? []) setFile(values, parameter)
  return values
}

function setFile(values: Dict, { name, path, bytes }: NonNullable<ValueInputs['fileParameters']>[number]): void {
  if (bytes === null)
    throw new RenderFault(
      'MissingValueFile',
      `file parameter ${name}: ${path} is not in this commit; add it, or leave the parameter out`,
    )
  try {
    setInto(values, `${name}=file`, { kind: 'file', read: () => textOf(bytes) })
  } catch (cause) {
    if (!(cause instanceof StrvalsError)) throw cause
    throw new RenderFault('InvalidValues', `file parameter ${name}: ${cause.message}`)
  }
}

function valuesIn(name: string, bytes: Uint8Array): Dict {
  try {
    return unmarshalMap(textOf(bytes))
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    // For the place of it, with a caret.
    loadYaml(textOf(bytes), { file: name, limits: defaultLimits, mode: 'values' })
    throw new RenderFault('InvalidValues', `failed to parse ${name}: ${cause.message}`)
  }
}

function fromJson(json: unknown): Value {
  if (json === null || typeof json === 'boolean' || typeof json === 'number' || typeof json === 'string') return json
  if (Array.isArray(json)) return json.map(fromJson)
  return typeof json === 'object' ? new Map(Object.entries(json).map(([key, item]) => [key, fromJson(item)] as const)) : null
}
