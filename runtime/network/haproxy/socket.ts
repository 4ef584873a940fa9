// One question to a unix socket of HAProxy, one answer. Knows nothing of what is asked.
import { createConnection } from 'node:net'

/** Rejects when nobody listens, on a broken answer, or after 5 s. */
export function ask(path: string, command: string, limitMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let answer = ''
    const fail = (cause: unknown) => {
      socket.destroy()
      reject(new Error(`HAProxy did not answer "${command.slice(0, 80)}" on ${path}`, { cause }))
    }
    socket.setEncoding('utf8').setTimeout(limitMs, () => fail(new Error(`no answer within ${limitMs} ms`)))
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.once('error', fail)
    socket.once('close', () => resolve(answer))
    socket.once('connect', () => socket.end(`${command}\n`))
  })
}
