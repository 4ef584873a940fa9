// Names over UDP and TCP: answers from the zone, asks the machine's own resolvers for the rest. Knows no files.
import { createSocket, type Socket } from 'node:dgram'
import { type Socket as Connection, connect, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import packet from 'dns-packet'
import { reply, type Zone } from './zone.js'

export interface ResponderOptions {
  readonly zone: () => Zone
  /** Addresses of the machine's own resolvers, the first one first. */
  readonly resolvers: () => readonly string[]
  readonly limits: ResponderLimits
  /** Told of each question; false leaves it unanswered, and ends the connection that it came over. */
  readonly admit?: () => boolean
  /** Told when a connection was turned away, or a question had to fail since too many are asked elsewhere already. */
  readonly crowded?: () => void
}

export interface ResponderLimits {
  /** Over TCP; those beyond are closed at once. */
  readonly connections: number
  /** Questions asked of other resolvers at one time; those beyond fail at once. */
  readonly forwarded: number
}

/** RFC 1035 without EDNS. */
const PLAIN_UDP_BYTES = 512
/** What fits into any path without fragments (DNS flag day 2020). */
const LARGEST_UDP_BYTES = 1232
const RESOLVER_LIMIT_MS = 2_000
const IDLE_TCP_MS = 10_000
/** Who was asked elsewhere has answered by then, or given up. */
const LONGEST_LEAVE_MS = 3_000
const LOOK_MS = 20

/** Its sockets listen already: each is to be given in the very turn in which it began to, or what comes first is lost. */
export interface Responder {
  serveUdp(udp: Socket): void
  serveTcp(tcp: Server): void
  /** Closes at once; what is not answered yet never is. */
  close(): void
  /** Takes no more connections, answers what it was asked, what comes for so long as well, and closes. */
  leave(readsOnMs: number): Promise<void>
}

export function createResponder(options: ResponderOptions): Responder {
  let turn = 0
  let forwarding = 0
  let pending = 0
  let isClosed = false
  const sockets: (Socket | Server)[] = []
  const connections = new Set<Connection>()

  async function respond(query: Buffer, over: 'udp' | 'tcp'): Promise<Buffer | null> {
    if (options.admit?.() === false) return null
    pending++
    try {
      return await answerTo(query, over)
    } finally {
      pending--
    }
  }

  async function answerTo(query: Buffer, over: 'udp' | 'tcp'): Promise<Buffer | null> {
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
    if (forwarding >= options.limits.forwarded) {
      options.crowded?.()
      return failure(asked)
    }
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

  function close(): void {
    isClosed = true
    for (const socket of sockets.splice(0)) socket.close(() => {})
    for (const connection of connections) connection.destroy()
  }

  return {
    serveUdp(udp) {
      sockets.push(udp)
      udp.on('message', async (query, from) => {
        const answer = await respond(query, 'udp').catch(() => null)
        if (answer !== null && !isClosed) udp.send(answer, from.port, from.address, () => {})
      })
    },
    serveTcp(tcp) {
      sockets.push(tcp)
      tcp.maxConnections = options.limits.connections
      tcp.on('drop', () => options.crowded?.())
      tcp.on('connection', connection => {
        connections.add(connection)
        connection.once('close', () => connections.delete(connection))
        serveConnection(connection, query => respond(query, 'tcp'))
      })
    },
    close,
    async leave(readsOnMs) {
      for (const socket of sockets) if ('listen' in socket) socket.close()
      const began = performance.now()
      const isDone = (ms: number) => (ms >= readsOnMs && pending === 0) || ms > LONGEST_LEAVE_MS
      while (!isClosed && !isDone(performance.now() - began)) await sleep(LOOK_MS)
      close()
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

function serveConnection(connection: Connection, respond: (query: Buffer) => Promise<Buffer | null>): void {
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
    while (!connection.destroyed && rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
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
