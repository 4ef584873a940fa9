// Plans of applications that came to rest, kept until something that they were made from changes, or their time comes. A node of many
// applications plans the one that moves.

interface Restful {
  readonly create: readonly unknown[]
  readonly terminate: readonly unknown[]
  readonly memory: unknown
  /** ms since 1970; null: time changes nothing. */
  readonly wakeAt: number | null
}

/** By application name. */
export type KeptPlans<P extends Restful> = Map<
  string,
  { readonly basis: readonly unknown[]; readonly at: number; readonly plan: P }
>

export interface Asked {
  /** All that the plan is made from, beside memory and time. Values that do not change: the same value means the same content. */
  readonly basis: readonly unknown[]
  /** What the planners remember; undefined: nothing. */
  readonly memory: unknown
  readonly now: number
}

/**
 * The plan of before where it holds, else a new one. Planning is pure, so one that made nothing, ended nothing and remembered nothing
 * new comes out the same until its `wakeAt`; its memory is then the very value that it was asked with.
 */
export function keptPlan<P extends Restful>(kept: KeptPlans<P>, name: string, asked: Asked, make: () => P): P {
  const known = kept.get(name)
  if (known !== undefined && holds(known, asked)) return known.plan
  const plan = make()
  const atRest = plan.create.length + plan.terminate.length === 0 && JSON.stringify(plan.memory) === JSON.stringify(asked.memory)
  const told = atRest ? { ...plan, memory: asked.memory } : plan
  if (atRest) kept.set(name, { basis: asked.basis, at: asked.now, plan: told })
  else kept.delete(name)
  return told
}

/** The clock may have been set back: then it is planned anew. */
function holds(
  known: { readonly basis: readonly unknown[]; readonly at: number; readonly plan: Restful },
  asked: Asked,
): boolean {
  const { wakeAt, memory } = known.plan
  const inTime = asked.now >= known.at && (wakeAt === null || asked.now < wakeAt)
  return (
    inTime &&
    memory === asked.memory &&
    known.basis.length === asked.basis.length &&
    known.basis.every((value, index) => value === asked.basis[index])
  )
}
