// Asks for names as a resolver does: once more when no answer comes, then it gives up.
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import packet from 'dns-packet'

export type Over = 'udp' | 'tcp'

/** As resolvers have it: five seconds (musl tries again after half of them). */
const PATIENCE_MS = 2_500
const TRIES = 2

/** Answers' data; null when there was no answer. */
export async function ask(server: string, name: string, over: Over = 'udp', tries = TRIES): Promise<readonly string[] | null> {
  const query = packet.encode({ type: 'query', id: 7, flags: packet.RECURSION_DESIRED, questions: [{ type: 'A', name }] })
  for (let left = tries; left > 0; left--) {
    const answer = await (over === 'udp' ? askUdp : askTcp)(server, query)
    if (answer !== null) return (packet.decode(answer).answers ?? []).map(each => String((each as { data?: unknown }).data))
  }
  return null
}

function askUdp(server: string, query: Buffer): Promise<Buffer | null> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    const timer = setTimeout(() => done(null), PATIENCE_MS)
    const done = (answer: Buffer | null) => {
      clearTimeout(timer)
      socket.removeAllListeners().close()
      resolve(answer)
    }
    socket.once('error', () => done(null)).once('message', done)
    socket.connect(53, server, () => socket.send(query))
  })
}

function askTcp(server: string, query: Buffer): Promise<Buffer | null> {
  return new Promise(resolve => {
    const socket = connect(53, server)
    let heard = Buffer.alloc(0)
    socket.setTimeout(PATIENCE_MS, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => resolve(null))
    socket.write(Buffer.concat([Buffer.from([0, query.length]), query]))
    socket.on('data', chunk => {
      heard = Buffer.concat([heard, chunk])
      if (heard.length < 2 || heard.length < 2 + heard.readUInt16BE(0)) return
      resolve(heard.subarray(2))
      socket.destroy()
    })
  })
}

export interface Asking {
  readonly answered: number
  /** When each question was asked that had no answer, or another one than expected. */
  readonly failed: readonly string[]
  stop(): Promise<void>
}

/** Some at a time, until it is stopped; as it is, under 200 questions a second of two such, which is no flood. */
export function keepAsking(server: string, name: string, expected: string, over: Over, atOnce = 4, pauseMs = 40): Asking {
  const failed: string[] = []
  let answered = 0
  let isStopped = false
  const loop = async () => {
    while (!isStopped) {
      const began = new Date().toISOString()
      const answer = await ask(server, name, over)
      if (answer?.join() === expected) answered++
      else failed.push(`${began} ${over}: ${answer === null ? 'no answer' : answer.join() || 'nothing'}`)
      await sleep(pauseMs)
    }
  }
  const running = Promise.all(Array.from({ length: atOnce }, loop))
  return {
    get answered() {
      return answered
    },
    failed,
    async stop() {
      isStopped = true
      await running
    },
  }
}
