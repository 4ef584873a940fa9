// The container engine of this machine, for tests: found as the product finds it, so that a machine with nothing but the public
// set-up gets a private one.
import { findEngine } from '../../runtime/docker/engine.js'

export const testEngine = await findEngine(process.env)
