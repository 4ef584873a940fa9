// The gRPC health check (grpc.health.v1.Health/Check) over node's HTTP/2. Its two messages have one field each, so they are
// written and read by hand.
import type { ProbeAnswer } from './threshold.js'

const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

export async function checkGrpc(
  ip: string,
  port: number,
  service: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  // Loaded with the first of these probes: most nodes have none, and it takes 1.5 MB.
  const { connect } = await import('node:http2')
  const who = `grpc ${ip}:${port}${service === '' ? '' : ` service ${service}`}`
  return new Promise(resolve => {
    const session = connect(`http://${ip.includes(':') ? `[${ip}]` : ip}:${port}`)
    const done = (ok: boolean, message: string): void => {
      signal.removeEventListener('abort', timeOut)
      session.destroy()
      resolve({ ok, message: ok ? '' : `${who}: ${message}` })
    }
    const timeOut = (): void => done(false, `no answer within ${timeoutMs} ms`)
    if (signal.aborted) timeOut()
    signal.addEventListener('abort', timeOut, { once: true })
    session.on('error', error => done(false, error.message))
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      'user-agent': 'kube-probe/1.36',
      te: 'trailers',
    })
    const parts: Buffer[] = []
    let status = ''
    const takeStatus = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status'])
    }
    stream.on('response', takeStatus)
    stream.on('trailers', takeStatus)
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', error => done(false, error.message))
    stream.on('end', () => {
      const serving = servingStatus(Buffer.concat(parts))
      if (status !== '0') return done(false, `grpc status ${status || 'missing'}`)
      done(serving === 1, statusNames[serving] ?? `status ${serving}`)
    })
    stream.end(healthRequest(service))
  })
}

/** One gRPC frame (not compressed, length) with `HealthCheckRequest { service = 1 }`. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** `HealthCheckResponse { status = 1 }`; a field that is not there is 0, UNKNOWN. */
export function servingStatus(frame: Buffer): number {
  const message = frame.subarray(5)
  return message[0] === 0x08 ? (message[1] ?? 0) : 0
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest >>= 7
  }
  return Buffer.from([...bytes, rest])
}
