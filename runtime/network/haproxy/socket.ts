// One question to a unix socket of HAProxy, one answer. Knows nothing of what is asked.
import { createConnection } from 'node:net'

/**
 * Rejects when nobody listens, after 5 s, or when the answer is cut short: each ends with an empty line, and one is all that some consist
 * of. A master that starts itself anew just then closes what is open, and no answer must not be read as: nobody is connected.
 */
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
    socket.once('close', () => (/(^|\n)\n$/.test(answer) ? resolve(answer) : fail(new Error('its answer was cut short'))))
    socket.once('connect', () => socket.end(`${command}\n`))
  })
}
