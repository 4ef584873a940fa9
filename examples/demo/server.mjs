// The example's web server where there is no static busybox: the same behaviour as server.sh.
import { createServer } from 'node:http'

const { MESSAGE = 'welcome', BEHAVIOUR = 'serve' } = process.env
console.log(`shop is starting (behaviour: ${BEHAVIOUR})`)
if (BEHAVIOUR === 'crash') {
  console.log('connecting to cache:6379')
  console.log('Error: getaddrinfo ENOTFOUND cache')
  process.exit(1)
}
if (BEHAVIOUR === 'never-ready') console.log('waiting for the moon')
const server = createServer((request, response) => {
  const ready = request.url !== '/ready' || BEHAVIOUR === 'serve'
  response.writeHead(ready ? 200 : 404).end(`${request.url === '/ready' ? 'ok' : MESSAGE}\n`)
}).listen(8080)
process.on('SIGTERM', () => server.close(() => process.exit(0)))
