// How V8 is told to optimize later than it would: its compiler's own pages and what it makes are 5 MB and more of a process that is soon done.
import { setFlagsFromString } from 'node:v8'

/** What a function has to have done before it is optimized, by default: bytes of bytecode, from V8 12 on calls and rounds of loops. */
const usual = { budget: 67_584, invocations: { turbofan: 3_000, maglev: 400 } }

/** Flags for a Node of that version; a flag that it does not know would keep it from starting. */
export function optimizedLater(times: number, node = process.versions.node): readonly string[] {
  const major = Number.parseInt(node, 10)
  if (major >= 22)
    return Object.entries(usual.invocations).map(([tier, count]) => `--invocation-count-for-${tier}=${count * times}`)
  return major === 20 ? [`--interrupt-budget=${usual.budget * times}`] : []
}

/** Processor time, ms: the first render of a small chart takes half of it. */
const longMs = 200

/** Who is long at work is given back V8's usual haste, from the next time on. */
export function hastened<T>(work: () => T): T {
  const before = process.cpuUsage()
  try {
    return work()
  } finally {
    const { user, system } = process.cpuUsage(before)
    if (user + system > longMs * 1000) optimizeAsUsual()
  }
}

/** From now on as V8 does by itself. */
export function optimizeAsUsual(): void {
  for (const flag of optimizedLater(1)) setFlagsFromString(flag)
}
