// Numbers as sigs.k8s.io/yaml turns them into texts: with the precision of a 32-bit float.
import { formatFloat } from '../value/float.js'

/** `strconv.FormatFloat(value, 'g', -1, 32)`: the fewest digits that give the same 32-bit float. */
export function formatG32(value: number): string {
  const near = Math.fround(value)
  if (!Number.isFinite(near) || near === 0) return formatFloat(near, 'g', -1)
  for (let digits = 1; digits <= 9; digits++) {
    const text = near.toPrecision(digits)
    if (Math.fround(Number(text)) === near) return formatFloat(Number(text), 'g', -1)
  }
  return formatFloat(near, 'g', -1)
}
