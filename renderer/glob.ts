// Which paths a pattern means: `*`, `?`, `**`, `[a-z]`, `{a,b}`, with '/' as separator. Matching is bounded: no backtracking into exponential time.

const most = 1_000

/** Throws a plain Error where the pattern is too long or too wide to be meant. `across`: `*` and `?` mean '/' as well. */
export function globMatcher(pattern: string, across = false): (path: string) => boolean {
  const alternatives = expandBraces(pattern).map(one => tokens(one, across))
  return path => alternatives.some(parts => matches(parts, [...path]))
}

function expandBraces(pattern: string): string[] {
  if (pattern.length > most) throw new Error(`a pattern of more than ${most} characters`)
  let open: string[] = [pattern]
  const done: string[] = []
  while (open.length > 0) {
    const next: string[] = []
    for (const text of open) {
      const brace = /^((?:[^{}\\]|\\.)*)\{([^{}]*)\}(.*)$/s.exec(text)
      if (brace === null) done.push(text)
      else for (const choice of (brace[2] ?? '').split(',')) next.push(`${brace[1]}${choice}${brace[3]}`)
    }
    open = next
    if (open.length + done.length > most) throw new Error(`a pattern with more than ${most} alternatives`)
  }
  return done
}

type Token = { readonly any: 'segment' | 'path' } | { readonly one: (char: string) => boolean }

function tokens(pattern: string, across: boolean): Token[] {
  const out: Token[] = []
  const chars = [...pattern]
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] ?? ''
    if (char === '*' && chars[i + 1] === '*') {
      out.push({ any: 'path' })
      i += chars[i + 2] === '/' ? 2 : 1
    } else if (char === '*') out.push({ any: across ? 'path' : 'segment' })
    else if (char === '?') out.push({ one: c => across || c !== '/' })
    else if (char === '[' && chars.indexOf(']', i + 2) > 0) {
      const end = chars.indexOf(']', i + 2)
      out.push({ one: setOf(chars.slice(i + 1, end)) })
      i = end
    } else {
      const literal = char === '\\' && i + 1 < chars.length ? (chars[++i] ?? '') : char
      out.push({ one: c => c === literal })
    }
  }
  return out
}

function setOf(chars: readonly string[]): (char: string) => boolean {
  const negated = chars[0] === '!' || chars[0] === '^'
  const set = negated ? chars.slice(1) : chars
  return char => {
    if (char === '/') return false
    const inside = set.some((from, at) =>
      set[at + 1] === '-' && at + 2 < set.length ? from <= char && char <= (set[at + 2] ?? '') : from === char,
    )
    return inside !== negated
  }
}

/** All states at once: time is pattern x path, whatever the pattern. */
function matches(parts: readonly Token[], path: readonly string[]): boolean {
  let states = closure(parts, new Set([0]))
  for (const char of path) {
    const next = new Set<number>()
    for (const state of states) {
      const part = parts[state]
      if (part === undefined) continue
      if ('one' in part ? part.one(char) : part.any === 'path' || char !== '/') next.add('one' in part ? state + 1 : state)
    }
    states = closure(parts, next)
    if (states.size === 0) return false
  }
  return states.has(parts.length)
}

function closure(parts: readonly Token[], states: Set<number>): Set<number> {
  for (const state of states) {
    const part = parts[state]
    if (part !== undefined && 'any' in part) states.add(state + 1)
  }
  return states
}
