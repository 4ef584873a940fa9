// How things are written in a terminal: shape, word and colour of a state, ages, tables, wrapped sentences. Pure.
import type { StateWord } from '../view.js'

export type Colour = 'green' | 'blue' | 'amber' | 'red' | 'violet' | 'slate'
export type Paint = (colour: Colour | 'bold' | 'dim', text: string) => string

/** interface.md: never colour alone. */
export const states: Readonly<Record<StateWord, { readonly shape: string; readonly word: string; readonly colour: Colour }>> = {
  Healthy: { shape: '●', word: 'Healthy', colour: 'green' },
  Releasing: { shape: '◐', word: 'Releasing', colour: 'blue' },
  RollingBack: { shape: '◒', word: 'Rolling back', colour: 'amber' },
  RolledBack: { shape: '▲', word: 'Rolled back', colour: 'amber' },
  Failed: { shape: '■', word: 'Failed', colour: 'red' },
  Held: { shape: '◇', word: 'Held', colour: 'violet' },
  OutOfSync: { shape: '○', word: 'Out of sync', colour: 'slate' },
  Degraded: { shape: '▼', word: 'Degraded', colour: 'red' },
  Unknown: { shape: '?', word: 'Unknown', colour: 'slate' },
  Paused: { shape: '‖', word: 'Paused', colour: 'slate' },
  Deleting: { shape: '○', word: 'Deleting', colour: 'slate' },
}

/** An attempt's outcome, or the step it is at. */
export function outcomeOf(outcome: string | null): { readonly shape: string; readonly word: string; readonly colour: Colour } {
  if (outcome === null) return states.Releasing
  if (outcome === 'Superseded') return { shape: '–', word: 'Superseded', colour: 'slate' }
  return states[outcome as StateWord] ?? states.Unknown
}

const codes = { green: 32, blue: 34, amber: 33, red: 31, violet: 35, slate: 90, bold: 1, dim: 2 }

export function painter(coloured: boolean): Paint {
  return (colour, text) => (coloured && text !== '' ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text)
}

/** `12s`, `8m`, `3h`, `2d`; '' where there is no time. For columns. */
export function age(since: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000))
  if (Number.isNaN(seconds)) return ''
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

/** `12 s ago`, for sentences. */
export function ago(since: string, now: number): string {
  const short = age(since, now)
  return short === '' ? '' : `${short.slice(0, -1)} ${short.slice(-1) === 'm' ? 'min' : short.slice(-1)} ago`
}

/** `0.1 s`, `8 s`, `3 min 5 s`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return ''
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const rest = seconds % 60
  return seconds < 3600
    ? `${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`
    : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

/** `4f2a91c`; of a chart its version. */
export function shortCommit(commit: string | undefined): string {
  return /^(.+)@sha256:[0-9a-f]{64}$/.exec(commit ?? '')?.[1] ?? (commit ?? '').slice(0, 7)
}

export interface Cell {
  readonly text: string
  readonly colour?: Colour | 'bold' | 'dim'
}

/**
 * Columns as wide as their widest cell, three spaces apart (two after the first when it holds shapes). The last column is cut to
 * `columns` (0 = never cut), because a list's lines must not wrap.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
  paint: Paint,
  columns: number,
): string {
  const cells = rows.map(row => row.map(cell => (typeof cell === 'string' ? { text: cell } : cell)))
  const widths = head.map((title, at) => Math.max(width(title), ...cells.map(row => width(row[at]?.text ?? ''))))
  const line = (row: readonly Cell[]) => {
    let used = 0
    const parts = row.map((cell, at) => {
      const last = at === row.length - 1
      const gap = head[at] === '' && at === 0 ? '  ' : '   '
      const text = last ? cut(cell.text, columns === 0 ? 0 : Math.max(8, columns - used)) : cell.text
      used += (widths[at] ?? 0) + gap.length
      const padding = last ? '' : ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(text))) + gap
      return (cell.colour === undefined ? text : paint(cell.colour, text)) + padding
    })
    return parts.join('').trimEnd()
  }
  return [line(head.map(text => ({ text, colour: 'dim' as const }))), ...cells.map(line)].join('\n') + '\n'
}

/** At most `max` characters, the last an ellipsis where something was cut; 0 = all. One line. */
export function cut(text: string, max: number): string {
  const one = text.replace(/\s*\n\s*/g, ' ')
  const characters = [...one]
  return max === 0 || characters.length <= max ? one : `${characters.slice(0, Math.max(0, max - 1)).join('')}…`
}

/** Breaks at blanks so that no line is longer than `columns`, each after `indent`; 0 = does not break. */
export function wrapped(text: string, columns: number, indent = ''): string {
  if (columns === 0) return `${indent}${text}`
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && width(indent) + width(line) + 1 + width(word) > columns) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map(one => `${indent}${one}`).join('\n')
}

function width(text: string): number {
  return [...text].length
}
