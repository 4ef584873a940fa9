// Names over UDP and TCP: answers from the zone, asks the machine's own resolvers for the rest. Knows no files.
import { createSocket, type Socket } from 'node:dgram'
import { type Socket as Connection, connect, createServer, type Server } from 'node:net'
import packet from 'dns-packet'
import { reply, type Zone } from './zone.js'

export interface ResponderOptions {
  readonly address: string
  readonly port: number
  readonly zone: () => Zone
  /** Addresses of the machine's own resolvers, the first one first. */
  readonly resolvers: () => readonly string[]
}

/** RFC 1035 without EDNS. */
const PLAIN_UDP_BYTES = 512
/** What fits into any path without fragments (DNS flag day 2020). */
const LARGEST_UDP_BYTES = 1232
const RESOLVER_LIMIT_MS = 2_000
const MOST_FORWARDED = 256
const IDLE_TCP_MS = 10_000

export interface Responder {
  close(): void
}

/** Resolves when both sockets listen. */
export async function startResponder(options: ResponderOptions): Promise<Responder> {
  let turn = 0
  let forwarding = 0

  async function respond(query: Buffer, over: 'udp' | 'tcp'): Promise<Buffer | null> {
    const asked = decode(query)
    const question = asked?.questions?.[0]
    if (asked === null || asked.type !== 'query' || question === undefined) return null
    const found = reply(options.zone(), question, turn++)
    if (found === 'forward') return forward(query, asked, over)
    const { rcode, answers = [], ...sections } = found
    const whole = head(asked, rcode)
    const followed = [...answers, ...(await followAlias(answers, asked, question, over))]
    const flags = (whole.flags ?? 0) | packet.AUTHORITATIVE_ANSWER
    return fitted({ ...whole, flags, ...sections, answers: followed }, limitOf(asked, over))
  }

  /** A stub resolver does not follow an alias by itself, so what it stands for comes in the same answer. */
  async function followAlias(
    answers: readonly packet.Answer[],
    asked: packet.DecodedPacket,
    question: packet.Question,
    over: 'udp' | 'tcp',
  ): Promise<readonly packet.Answer[]> {
    const alias = answers[0]
    if (alias?.type !== 'CNAME' || question.type === 'CNAME') return []
    const target = { ...question, name: alias.data }
    const found = reply(options.zone(), target, turn++)
    if (found !== 'forward') return found.answers ?? []
    const query = packet.encode({ type: 'query', id: asked.id ?? 0, flags: packet.RECURSION_DESIRED, questions: [target] })
    return decode(await forward(query, asked, over))?.answers ?? []
  }

  async function forward(query: Buffer, asked: packet.DecodedPacket, over: 'udp' | 'tcp'): Promise<Buffer> {
    if (forwarding >= MOST_FORWARDED) return failure(asked)
    forwarding++
    try {
      for (const resolver of options.resolvers()) {
        const answer = await (over === 'udp' ? askUdp : askTcp)(query, resolver).catch(() => null)
        if (answer !== null) return answer
      }
      return failure(asked)
    } finally {
      forwarding--
    }
  }

  const udp = createSocket('udp4')
  udp.on('message', async (query, from) => {
    const answer = await respond(query, 'udp').catch(() => null)
    if (answer !== null) udp.send(answer, from.port, from.address, () => {})
  })
  const tcp = createServer(connection => serveTcp(connection, query => respond(query, 'tcp')))
  await Promise.all([bound(udp, options), listening(tcp, options)])
  udp.on('error', () => {})
  return {
    close() {
      udp.close()
      tcp.close()
    },
  }
}

const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const

function head(asked: packet.DecodedPacket, rcode: keyof typeof RCODES): packet.Packet {
  const kept = (asked.flags ?? 0) & packet.RECURSION_DESIRED
  return {
    id: asked.id ?? 0,
    type: 'response',
    flags: kept | packet.RECURSION_AVAILABLE | RCODES[rcode],
    questions: asked.questions ?? [],
  }
}

function failure(asked: packet.DecodedPacket): Buffer {
  return packet.encode(head(asked, 'SERVFAIL'))
}

/** What does not fit is left out from the end, and the answer says that it is cut (TC): who needs all asks over TCP. */
function fitted(whole: packet.Packet, limit: number): Buffer {
  const encoded = packet.encode(whole)
  if (encoded.length <= limit) return encoded
  const answers = whole.answers ?? []
  const flags = (whole.flags ?? 0) | packet.TRUNCATED_RESPONSE
  for (let count = answers.length - 1; count > 0; count--) {
    const shorter = packet.encode({ ...whole, flags, answers: answers.slice(0, count), additionals: [] })
    if (shorter.length <= limit) return shorter
  }
  return packet.encode({ ...whole, flags, answers: [], additionals: [] })
}

function limitOf(asked: packet.DecodedPacket, over: 'udp' | 'tcp'): number {
  if (over === 'tcp') return 65_535
  const extension = asked.additionals?.find(record => record.type === 'OPT') as { udpPayloadSize?: number } | undefined
  return Math.min(LARGEST_UDP_BYTES, Math.max(PLAIN_UDP_BYTES, extension?.udpPayloadSize ?? PLAIN_UDP_BYTES))
}

function decode(query: Buffer): packet.DecodedPacket | null {
  try {
    return packet.decode(query)
  } catch {
    return null
  }
}

/** One socket a question: its random port and the id are what an answer must match. */
function askUdp(query: Buffer, resolver: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(resolver.includes(':') ? 'udp6' : 'udp4')
    const timer = setTimeout(() => done(() => reject(new Error(`${resolver}: no answer`))), RESOLVER_LIMIT_MS)
    const done = (then: () => void) => {
      clearTimeout(timer)
      socket.close()
      then()
    }
    socket.once('error', error => done(() => reject(error)))
    socket.on('message', answer => {
      if (answer.length >= 2 && answer.readUInt16BE(0) === query.readUInt16BE(0)) done(() => resolve(answer))
    })
    socket.connect(53, resolver, () => socket.send(query))
  })
}

function askTcp(query: Buffer, resolver: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const connection = connect(53, resolver)
    connection.setTimeout(RESOLVER_LIMIT_MS, () => connection.destroy(new Error(`${resolver}: no answer`)))
    connection.once('error', reject)
    connection.once('close', () => reject(new Error(`${resolver}: closed without an answer`)))
    connection.once('connect', () => connection.write(framed(query)))
    onFrames(connection, answer => {
      resolve(answer)
      connection.destroy()
    })
  })
}

function serveTcp(connection: Connection, respond: (query: Buffer) => Promise<Buffer | null>): void {
  connection.setTimeout(IDLE_TCP_MS, () => connection.destroy())
  connection.on('error', () => {})
  onFrames(connection, async query => {
    const answer = await respond(query).catch(() => null)
    if (answer === null) connection.destroy()
    else if (connection.writable) connection.write(framed(answer))
  })
}

/** RFC 1035, 4.2.2: two bytes of length before each message. */
function onFrames(connection: Connection, then: (message: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  connection.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0)
      then(rest.subarray(2, end))
      rest = rest.subarray(end)
    }
  })
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

function bound(socket: Socket, { address, port }: ResponderOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(port, address, () => resolve())
  })
}

function listening(server: Server, { address, port }: ResponderOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => resolve())
  })
}
