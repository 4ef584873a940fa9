// The product's controller, killed at the failpoint that a test arms.
import { main } from '../../controller/main.js'
import { hookFailpoints } from './failing-hook.js'

hookFailpoints(process.env.SLIPWAY_TEST_FAILPOINTS ?? '')
await main(process.env)
