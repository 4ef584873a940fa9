// The values of one render, low to high: values.yaml, value files in order, inline values, parameters in order.
import { dictOf } from '../chart/chart.js'
import { RenderFault } from '../fault.js'
import type { Limits } from '../limits.js'
import { type Dict, fromJson, isDict } from '../value.js'
import { mergeValues } from './merge.js'
import { applyParameter, SetError } from './set.js'

export interface ValueInputs {
  /** As declared, already read; null: there is no such file. */
  readonly valueFiles: readonly { readonly name: string; readonly bytes: Uint8Array | null }[]
  readonly ignoreMissingValueFiles: boolean
  readonly values: Readonly<Record<string, unknown>>
  readonly parameters: readonly { readonly name: string; readonly value: string; readonly forceString: boolean }[]
}

export function gatherValues(defaults: Dict, inputs: ValueInputs, limits: Limits): Dict {
  const files = inputs.valueFiles.flatMap(file => {
    if (file.bytes !== null) return [dictOf(file.name, file.bytes, limits)]
    if (inputs.ignoreMissingValueFiles) return []
    throw new RenderFault(
      'MissingValueFile',
      `value file ${file.name} is not in this commit; add it, or set ignoreMissingValueFiles`,
    )
  })
  const inline = fromJson(inputs.values)
  const merged = [...files, isDict(inline) ? inline : new Map()].reduce<Dict>(mergeValues, defaults)
  return inputs.parameters.reduce((values, parameter) => {
    try {
      return applyParameter(values, parameter.name, parameter.value, parameter.forceString)
    } catch (cause) {
      if (!(cause instanceof SetError)) throw cause
      throw new RenderFault('InvalidValues', `parameter ${parameter.name}: ${cause.message}`)
    }
  }, merged)
}
