// A process that owns a data plane and does nothing more with it: `node network-owner.js PLACES STATE`. Says `applied`, then waits to be killed.
import { createDataPlane } from '../../runtime/network/dataplane.js'
import { networkEngine } from '../../runtime/network/engine.js'
import { testDocker } from './images.js'

const [places = '{}', wanted = '{}'] = process.argv.slice(2)
const signal = new AbortController().signal
const plane = createDataPlane({
  ...JSON.parse(places),
  docker: networkEngine(testDocker().networks),
  now: Date.now,
  log: () => {},
})
await plane.start(signal)
await plane.apply(JSON.parse(wanted), signal)
process.stdout.write('applied\n')
setInterval(() => {}, 60_000)
