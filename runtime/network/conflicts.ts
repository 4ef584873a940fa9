// Which listeners of a set of Services cannot be: taken twice among them, or by somebody else on this machine. Pure.
import type { Listening } from './host.js'
import type { Bind, Listener } from './listeners.js'

export interface Conflict {
  readonly service: string
  readonly message: string
}

/** `foreign`: what listens here and is not ours. The first one who wants a port twice asked for has it. */
export function findConflicts(listeners: readonly Listener[], foreign: readonly Listening[]): readonly Conflict[] {
  const owners = new Map<string, string>()
  return listeners.flatMap(({ service, binds }) =>
    binds.flatMap(bind => {
      const key = `${bind.ip}:${bind.port}`
      const owner = owners.get(key)
      if (owner === undefined) owners.set(key, service)
      if (owner !== undefined)
        return [{ service, message: `${service}: port ${bind.port} of this node is already Service ${owner}'s` }]
      const taken = foreign.find(socket => collide(bind, socket))
      return taken === undefined ? [] : [{ service, message: takenText(service, bind, taken) }]
    }),
  )
}

/** Who listens on every address has the port on ours too. */
export function collide(bind: Bind, socket: Listening): boolean {
  if (socket.ip.startsWith('[')) return false
  return bind.port === socket.port && (socket.ip === '*' || bind.ip === '0.0.0.0' || bind.ip === socket.ip)
}

function takenText(service: string, bind: Bind, socket: Listening): string {
  const place = socket.ip === '*' ? 'all addresses' : socket.ip
  const own = bind.ip === '0.0.0.0' ? '' : ` (needed on ${bind.ip})`
  return `${service}: port ${bind.port}${own} is in use by another process that listens on ${place}; end it or choose another port`
}
