// Declarations that are fine by themselves, and may not be taken: another has the name, or they wait for each other.
import type { Application } from './application.js'
import { dependencyCycle } from './rollout/gates.js'

/** The declaration is fine, and may not be taken. `passes`: it may be later, without anybody's doing. */
export class TakenError extends Error {
  override name = 'TakenError'
  readonly passes: boolean
  constructor(message: string, passes: boolean) {
    super(message)
    this.passes = passes
  }
}

/** Applications that wait for each other would wait for ever. Throws TakenError. */
export function refuseWaitingInCircle(
  { name, dependsOn }: Pick<Application, 'name' | 'dependsOn'>,
  of: (name: string) => readonly string[],
): void {
  const way = dependencyCycle(name, dependsOn, of)
  if (way !== null)
    throw new TakenError(`${way.join(' depends on ')}: none of them could ever be released; take one dependsOn out.`, false)
}
