// Shapes, words and ages as the page writes them: the same as the terminal's (interface.md).
import type { StateWord } from '../view.js'

/** In the order in which they need a person. */
const table: readonly (readonly [StateWord, string, string])[] = [
  ['Failed', '■', 'Failed'],
  ['RolledBack', '▲', 'Rolled back'],
  ['Held', '◇', 'Held'],
  ['Degraded', '▼', 'Degraded'],
  ['Unknown', '?', 'Unknown'],
  ['RollingBack', '◒', 'Rolling back'],
  ['Releasing', '◐', 'Releasing'],
  ['Deleting', '○', 'Deleting'],
  ['OutOfSync', '○', 'Out of sync'],
  ['Paused', '‖', 'Paused'],
  ['Healthy', '●', 'Healthy'],
]

export const stateWords = table.map(([state]) => state)

export function attention(state: StateWord): number {
  return stateWords.indexOf(state)
}

export function shapeOf(state: string): { readonly shape: string; readonly word: string; readonly tone: string } {
  const [name, shape, word] = table.find(([one]) => one === state) ?? ['Unknown', '–', state]
  return { shape, word, tone: `tone-${state === 'Superseded' ? 'Paused' : name}` }
}

/** An object's health in the same shapes. */
export function healthShape(health: string): ReturnType<typeof shapeOf> {
  const as: Readonly<Record<string, string>> = {
    Healthy: 'Healthy',
    Progressing: 'Releasing',
    Degraded: 'Degraded',
    Missing: 'OutOfSync',
    Suspended: 'Paused',
  }
  return { ...shapeOf(as[health] ?? 'Unknown'), word: health }
}

export function age(since: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000))
  if (Number.isNaN(seconds)) return ''
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

/** The moment itself, where an age is not enough. */
export function exactly(at: string): string {
  return at === '' ? '' : new Date(at).toLocaleString()
}

export function took(from: string, to: string): string {
  const ms = Date.parse(to) - Date.parse(from)
  if (Number.isNaN(ms) || ms < 0) return ''
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : age(from, Date.parse(to))
}

export function commitOf(commit: string | undefined): string {
  return /^(.+)@sha256:[0-9a-f]{64}$/.exec(commit ?? '')?.[1] ?? (commit ?? '').slice(0, 7)
}
