// Patterns of `.Files.Glob`, as gobwas/glob reads them with '/' between: `*`, `**`, `?`, `[a-z]`, `[!a]`, `{a,b}`. All states at once: time is pattern x name.

const mostAlternatives = 1_000

type Part = { readonly kind: 'any'; readonly across: boolean } | { readonly kind: 'one'; readonly is: (char: string) => boolean }

/** null where the pattern cannot be read: Helm then takes every file. */
export function globMatcher(pattern: string): ((name: string) => boolean) | null {
  const alternatives = expand([...pattern])?.map(partsOf) ?? null
  if (alternatives === null || alternatives.some(parts => parts === null)) return null
  return name => alternatives.some(parts => parts !== null && matches(parts, [...name]))
}

/** `{a,b}`, also inside one another; null where a brace is not closed. */
function expand(chars: readonly string[]): string[][] | null {
  let results: string[][] = [[]]
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string
    if (char === '\\') {
      results = results.map(result => [...result, char, chars[at + 1] ?? ''])
      at++
    } else if (char === '{') {
      const group = groupAt(chars, at + 1)
      const inner = group?.choices.map(expand)
      if (group === null || inner === undefined || inner.some(one => one === null)) return null
      const choices = (inner as string[][][]).flat()
      results = results.flatMap(result => choices.map(choice => [...result, ...choice]))
      if (results.length > mostAlternatives) return null
      at = group.end
    } else results = results.map(result => [...result, char])
  }
  return results
}

function groupAt(chars: readonly string[], start: number): { readonly choices: string[][]; readonly end: number } | null {
  const choices: string[][] = [[]]
  let depth = 0
  for (let at = start; at < chars.length; at++) {
    const char = chars[at] as string
    if (char === '}' && depth === 0) return { choices, end: at }
    if (char === '{') depth++
    if (char === '}') depth--
    if (char === ',' && depth === 0) choices.push([])
    else choices.at(-1)?.push(char, ...(char === '\\' ? [chars[++at] ?? ''] : []))
  }
  return null
}

function partsOf(chars: readonly string[]): Part[] | null {
  const parts: Part[] = []
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string
    if (char === '*') {
      const across = chars[at + 1] === '*'
      parts.push({ kind: 'any', across })
      if (across) at++
    } else if (char === '?') parts.push({ kind: 'one', is: one => one !== '/' })
    else if (char === '[') {
      const end = chars.indexOf(']', at + 1)
      if (end < 0) return null
      parts.push({ kind: 'one', is: setOf(chars.slice(at + 1, end)) })
      at = end
    } else {
      const literal = char === '\\' ? (chars[++at] ?? '') : char
      parts.push({ kind: 'one', is: one => one === literal })
    }
  }
  return parts
}

function setOf(chars: readonly string[]): (char: string) => boolean {
  const negated = chars[0] === '!'
  const set = negated ? chars.slice(1) : chars
  const isRange = set.length === 3 && set[1] === '-'
  return char => (isRange ? (set[0] ?? '') <= char && char <= (set[2] ?? '') : set.includes(char)) !== negated
}

function matches(parts: readonly Part[], chars: readonly string[]): boolean {
  let states = closed(parts, new Set([0]))
  for (const char of chars) {
    const next = new Set<number>()
    for (const state of states) {
      const part = parts[state]
      if (part?.kind === 'any' && (part.across || char !== '/')) next.add(state)
      if (part?.kind === 'one' && part.is(char)) next.add(state + 1)
    }
    states = closed(parts, next)
    if (states.size === 0) return false
  }
  return states.has(parts.length)
}

function closed(parts: readonly Part[], states: Set<number>): Set<number> {
  for (const state of states) if (parts[state]?.kind === 'any') states.add(state + 1)
  return states
}
