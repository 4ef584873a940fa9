// Everything that lies in an instance's NATS, read with the controller's own key, as it lies there.
import { join } from 'node:path'
import { connect, nkeyAuthenticator } from 'nats'
import { readMachine } from '../../controller/cli/machine.js'
import { layoutOf } from '../../controller/cli/processes.js'
import { openControllerKeys } from '../../runtime/contract/keys.js'
import { inboxPrefix } from '../../runtime/contract/subjects.js'

export interface Message {
  readonly stream: string
  readonly subject: string
  readonly data: Buffer
}

/** Of every bucket and stream; what was removed is not there. */
export async function messagesIn(state: string): Promise<readonly Message[]> {
  const layout = layoutOf(state)
  const keys = await openControllerKeys(join(layout.keys, 'controller'))
  const connection = await connect({
    servers: `nats://127.0.0.1:${readMachine(layout)?.natsPort}`,
    authenticator: nkeyAuthenticator(Buffer.from(keys.nats.seed)),
    inboxPrefix: inboxPrefix('controller'),
  })
  try {
    const manager = await connection.jetstreamManager()
    const messages: Message[] = []
    for await (const stream of manager.streams.list()) {
      for (let seq = stream.state.first_seq; seq <= stream.state.last_seq; seq++) {
        const found = await manager.streams.getMessage(stream.config.name, { seq }).catch(() => null)
        if (found !== null && found.header.get('KV-Operation') === '')
          messages.push({ stream: stream.config.name, subject: found.subject, data: Buffer.from(found.data) })
      }
    }
    return messages
  } finally {
    await connection.close()
  }
}
