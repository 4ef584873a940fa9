// The product's runtime, killed at the failpoint that a test arms.
import { main } from '../../runtime/main.js'
import { hookFailpoints } from './failing-hook.js'

hookFailpoints(process.env.SLIPWAY_TEST_FAILPOINTS ?? '')
process.exitCode = await main(process.argv.slice(2), process.env)
