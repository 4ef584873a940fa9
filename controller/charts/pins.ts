// What an application keeps of the charts that it depends on, among its other kept values: which version a range meant, and what was in it.
import type { Sticky, StickyEntry } from '../sticky.js'
import type { Pins } from './complete.js'

const prefix = 'chart '

/** Of a ledger. */
export function pinsIn(sticky: Sticky): Pins {
  return Object.fromEntries(
    Object.entries(sticky).flatMap(([key, { value }]) => {
      if (!key.startsWith(prefix)) return []
      const { version, sha256 } = JSON.parse(value) as { readonly version: string; readonly sha256: string }
      return [[key.slice(prefix.length), { version, sha256 }] as const]
    }),
  )
}

/** Those that are kept stay as they are. */
export function entriesOf(pins: Pins, kept: Sticky, now: number): Sticky {
  return Object.fromEntries(
    Object.entries(pins).map(([pin, { version, sha256 }]): [string, StickyEntry] => {
      const key = prefix + pin
      const value = JSON.stringify({ version, sha256 })
      const known = kept[key]
      if (known?.value === value) return [key, known]
      const label = pin.split(' ').slice(1).join(' ')
      return [key, { value, name: 'chart', file: 'Chart.yaml', label, loose: key, at: now, from: 'minted', idleSince: 0 }]
    }),
  )
}
