// Go's regular expressions as far as JavaScript's say the same; the time they take is bounded by the render's own process.
import { FunctionFault } from './function.js'

/** Throws where the pattern uses what RE2 refuses (look-around, back references) or what cannot be read. */
export function goPattern(pattern: string, flags: string): RegExp {
  if (/\(\?(=|!|<=|<!)|\\[1-9]|\\k</.test(pattern))
    throw new FunctionFault('look-around and back references are not in RE2, which charts use')
  const head = /^\(\?([ims]+)\)/.exec(pattern)
  const body = (head === null ? pattern : pattern.slice(head[0].length))
    .replace(/\(\?P</g, '(?<')
    .replace(/\\A/g, '^')
    .replace(/\\z/g, '$')
    .replace(/\[\[:(\w+):\]\]/g, (whole, name: string) => classes[name] ?? whole)
  try {
    return new RegExp(body, `${flags}${head?.[1] ?? ''}`)
  } catch {
    throw new FunctionFault('the regular expression cannot be read')
  }
}

const classes: Readonly<Record<string, string>> = {
  alnum: '[0-9A-Za-z]',
  alpha: '[A-Za-z]',
  digit: '[0-9]',
  lower: '[a-z]',
  upper: '[A-Z]',
  space: '[\\t\\n\\v\\f\\r ]',
  xdigit: '[0-9A-Fa-f]',
}

/** Go's `Expand`: `${1}` and `$1`; the longest name counts, so `$1W` is the group "1W", which is empty. */
export function expand(by: string, found: readonly unknown[]): string {
  const named = found[found.length - 1]
  const group = (name: string): string => {
    const value = /^\d+$/.test(name)
      ? Number(name) < found.length - 2
        ? found[Number(name)]
        : ''
      : typeof named === 'object' && named !== null
        ? Object.entries(named).find(([key]) => key === name)?.[1]
        : ''
    return typeof value === 'string' ? value : ''
  }
  return by.replace(/\$\$|\$\{(\w+)\}|\$(\w+)/g, (whole, braced?: string, bare?: string) =>
    whole === '$$' ? '$' : group(braced ?? bare ?? ''),
  )
}
