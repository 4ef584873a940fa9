// How V8 is told to optimize later than it would: its compiler's own pages and what it makes are 5 MB and more of a process that is soon done.

/** What a function has to have done before it is optimized, by default: bytes of bytecode, from V8 12 on calls and rounds of loops. */
const usual = { budget: 67_584, invocations: 3_000 }

/** Flags for a Node of that version; a flag that it does not know would keep it from starting. */
export function optimizedLater(times: number, node = process.versions.node): readonly string[] {
  const major = Number.parseInt(node, 10)
  if (major >= 22) return [`--invocation-count-for-turbofan=${usual.invocations * times}`]
  return major === 20 ? [`--interrupt-budget=${usual.budget * times}`] : []
}
