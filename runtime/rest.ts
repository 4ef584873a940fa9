// Gives memory back when a process rests: V8 collects while it allocates, so an idle one would keep what its busiest minute needed.
import { performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

const lookEveryMs = 5_000
/** Less is not worth 50 ms of work, and what a process leaves that has rested since it was last done comes at any time. */
const worthBytes = { afterWork: 3 * 1024 * 1024, atRest: 6 * 1024 * 1024 }
/** Share of the time since the last look in which something was done. */
const restingBelow = 0.05

/** Does nothing unless Node was started with `--expose-gc`. */
export function collectAtRest(): void {
  const { gc } = globalThis
  if (gc === undefined) return
  let usedAfter = 0
  let hasWorked = true
  let before = performance.eventLoopUtilization()
  const look = () => {
    const { utilization } = performance.eventLoopUtilization(before)
    before = performance.eventLoopUtilization()
    const rests = utilization < restingBelow
    hasWorked ||= !rests
    if (!rests || heapUsed() - usedAfter < (hasWorked ? worthBytes.afterWork : worthBytes.atRest)) return
    void gc()
    usedAfter = heapUsed()
    hasWorked = false
  }
  setInterval(look, lookEveryMs).unref()
}

function heapUsed(): number {
  return getHeapStatistics().used_heap_size
}
