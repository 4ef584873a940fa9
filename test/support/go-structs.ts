// The structs that notes of test/support/go-values.ts can name.
import { parseVersion } from '../../renderer/functions/sprig/version.js'
import type { Makers } from './go-values.js'

export const structMakers: Makers = {
  semver: noted => parseVersion(noted.semver as string),
}
