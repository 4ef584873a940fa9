// Which target stands in which of a backend's server slots, and the few changes that lead from one layout to the next. Pure.
import type { Target } from './listeners.js'

/** One server line of a backend. A slot that nobody stands in has EMPTY's address. */
export type Slot = Target

export const EMPTY: Slot = { ip: '127.0.0.1', port: 1, open: false }

/** Slots that a new backend has beyond what it needs: so many new pods come without a reload. */
const SPARE = 8

/** One change of one slot. An address is set while the slot is closed. */
export interface SlotStep {
  readonly slot: number
  readonly to: Slot
  readonly moves: boolean
}

/** 3 targets -> 16 slots; a backend never shrinks while its layout is carried on. */
export function slotCount(targets: number, before: number): number {
  return targets <= before ? before : Math.ceil((targets + SPARE) / SPARE) * SPARE
}

/** A layout from nothing, for the file that a new worker starts with: it has no connections, so closed targets need no slot. */
export function layOut(targets: readonly Target[], count: number): readonly Slot[] {
  const open = targets.filter(target => target.open)
  return Array.from({ length: count }, (_, index) => open[index] ?? EMPTY)
}

/**
 * The steps to the wanted targets, opening ones first, or null when no slot is left for one of them.
 * `busy`: slots that still have connections; they keep their address, so that these stay counted where they are.
 */
export function planSteps(
  slots: readonly Slot[],
  wanted: readonly Target[],
  busy: ReadonlySet<number>,
): readonly SlotStep[] | null {
  const standing = new Map(wanted.flatMap(target => find(slots, target).map(slot => [slot, target] as const)))
  const vacant = slots.flatMap((_, index) => (standing.has(index) || busy.has(index) ? [] : [index]))
  // What is closed and stands nowhere has no connection to end: it needs no slot.
  const newcomers = wanted.filter(target => target.open && find(slots, target).length === 0)
  if (newcomers.length > vacant.length) return null
  // Empty slots first: one that was left a moment ago may be wanted back.
  vacant.sort((a, b) => Number(isLeft(slots[a])) - Number(isLeft(slots[b])) || a - b)
  const arrivals = newcomers.map((to, index) => ({ slot: vacant[index] ?? 0, to, moves: true }))
  const arrived = new Set(arrivals.map(step => step.slot))
  const others = slots.flatMap((slot, index) => {
    const open = standing.get(index)?.open ?? false
    return arrived.has(index) || slot.open === open ? [] : [{ slot: index, to: { ...slot, open }, moves: false }]
  })
  return [...arrivals, ...others].sort((a, b) => Number(b.to.open) - Number(a.to.open))
}

export function stepped(slots: readonly Slot[], steps: readonly SlotStep[]): readonly Slot[] {
  const next = new Map(steps.map(step => [step.slot, step.to]))
  return slots.map((slot, index) => next.get(index) ?? slot)
}

function find(slots: readonly Slot[], target: Target): readonly number[] {
  const index = slots.findIndex(slot => slot.ip === target.ip && slot.port === target.port)
  return index < 0 ? [] : [index]
}

function isLeft(slot: Slot | undefined): boolean {
  return slot !== undefined && slot.ip !== EMPTY.ip
}
