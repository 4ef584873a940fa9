// Gives memory back when a process rests: V8 collects while it allocates, so an idle one would keep what its busiest minute needed.
import { performance } from 'node:perf_hooks'
import { getHeapSpaceStatistics } from 'node:v8'

const lookEveryMs = 5_000
/** Less is not worth 50 ms of work, and what a process leaves that has rested since it was last done comes at any time. */
const worthBytes = { afterWork: 3 * 1024 * 1024, atRest: 6 * 1024 * 1024 }
/** Share of the time since the last look in which something was done. */
const restingBelow = 0.05

/** Does nothing unless Node was started with `--expose-gc`. */
export function collectAtRest(): void {
  const { gc } = globalThis
  if (gc === undefined) return
  let before = performance.eventLoopUtilization()
  let oldAfter = 0
  let hasWorked = true
  const look = () => {
    const { utilization } = performance.eventLoopUtilization(before)
    before = performance.eventLoopUtilization()
    const rests = utilization < restingBelow
    hasWorked ||= !rests
    const { young, old } = used()
    // What is young is collected by itself before it is much: at rest it is no reason to go through all that is old.
    if (!rests || (hasWorked ? young + old - oldAfter < worthBytes.afterWork : old - oldAfter < worthBytes.atRest)) return
    void gc()
    oldAfter = used().old
    hasWorked = false
  }
  setInterval(look, lookEveryMs).unref()
}

/** Bytes. */
function used(): { readonly young: number; readonly old: number } {
  const spaces = getHeapSpaceStatistics()
  const sum = (isYoung: boolean) =>
    spaces.reduce(
      (all, { space_name, space_used_size }) => (space_name.startsWith('new_') === isYoung ? all + space_used_size : all),
      0,
    )
  return { young: sum(true), old: sum(false) }
}
