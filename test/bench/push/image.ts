// The server that is measured: a static busybox and two scripts. It says which version it is, and writes down the id of each request.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { busyboxFiles, demoImage, staticBusybox } from '../../../examples/demo/images.js'
import { connectDocker, type Docker } from '../../../runtime/docker/client.js'

/** Of this run alone: another on this machine takes its own away. */
export const image = `slipway-bench-${randomBytes(4).toString('hex')}/web:1`
export const port = 8080

const server = `#!/bin/sh
mkdir -p /tmp/www/cgi-bin
echo "\${VERSION:-none}" >/tmp/www/index.html
cp /app/serve.sh /tmp/www/cgi-bin/serve
case "\${BEHAVIOUR:-serve}" in
  crash) echo "Error: getaddrinfo ENOTFOUND cache"; exit 1 ;;
  never-ready) echo "waiting for the moon" ;;
  *) echo ok >/tmp/www/ready ;;
esac
trap 'kill $server; exit 0' TERM
httpd -f -p ${port} -h /tmp/www &
server=$!
wait $server
`

const serve = `#!/bin/sh
echo "served $QUERY_STRING" >/proc/1/fd/1
printf 'Content-Type: text/plain\\r\\n\\r\\n'
cat /tmp/www/index.html
`

/** Throws where the machine has no static busybox. */
export async function loadServer(engine: string): Promise<void> {
  const busybox = staticBusybox()
  if (busybox === null) throw new Error('no static busybox on this machine: run npm run setup -- --tests')
  const files = [
    ...busyboxFiles(busybox),
    { path: '/bin/cp', content: '#!/bin/busybox sh\nexec /bin/busybox cp "$@"\n', mode: 0o755 },
    { path: '/app/server.sh', content: server, mode: 0o755 },
    { path: '/app/serve.sh', content: serve, mode: 0o755 },
  ]
  const archive = demoImage(image, files, { entrypoint: ['/bin/sh', '/app/server.sh'] })
  await withEngine(engine, docker => docker.images.load(archive, AbortSignal.timeout(60_000)))
}

export async function removeServer(engine: string): Promise<void> {
  await withEngine(engine, docker => docker.images.remove(image))
}

async function withEngine(engine: string, act: (docker: Docker) => Promise<unknown>): Promise<void> {
  const docker = connectDocker(engine)
  try {
    await act(docker)
  } finally {
    await docker.close()
  }
}

export function busyboxVersion(): string {
  return /BusyBox v(\S+)/.exec(readFileSync(staticBusybox() ?? '', 'latin1'))?.[1] ?? ''
}
