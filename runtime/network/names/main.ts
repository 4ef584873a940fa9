// Names without the runtime: `node main.js ZONE-FILE ADDRESS`, with the sockets as file descriptors 3 and 4. Answers until it is told
// to leave, from the zone that the runtime wrote last.
import { createResponder } from './responder.js'
import { takeTcp, takeUdp } from './sockets.js'
import { machineResolvers, noZone, parseZone, watched } from './watched.js'

/** Time enough to read what lies in a full socket that gets nothing new any more. */
const READS_ON_MS = 250

const [zoneFile = '', address = ''] = process.argv.slice(2)
const responder = createResponder({
  zone: watched(zoneFile, parseZone, noZone),
  resolvers: machineResolvers(address),
  limits: { connections: 512, forwarded: 256 },
})
process.on('SIGHUP', () => {})
// One that cannot be taken ends this process, and hold.sh tries again.
void takeUdp().then(udp => responder.serveUdp(udp))
void takeTcp().then(tcp => responder.serveTcp(tcp))
process.on('SIGTERM', () => void responder.leave(READS_ON_MS))
