// The structs that notes of test/support/go-values.ts can name.
import { Time } from '../../renderer/functions/sprig/time.js'
import { parseVersion } from '../../renderer/functions/sprig/version.js'
import type { Makers } from './go-values.js'

export const structMakers: Makers = {
  semver: noted => parseVersion(noted.semver as string),
  time: noted => new Time(noted.time as number, (noted.ns as number | undefined) ?? 0),
}
