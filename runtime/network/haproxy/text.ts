// The load balancer's configuration file as a function of listeners and slots. Pure; what the settings do was measured with 2.6.
import type { Listener } from '../listeners.js'
import type { Slot } from '../slots.js'

export interface Setting {
  readonly listeners: readonly Listener[]
  /** Listener name -> its slots. */
  readonly slots: ReadonlyMap<string, readonly Slot[]>
}

export interface Places {
  /** Unix socket of the runtime API. */
  readonly adminSocket: string
  /** An address of this instance alone, where a listener without purpose keeps HAProxy content. */
  readonly quietAddress: string
  /** Workers give root away; null where the master has none to give. */
  readonly workerUid: number | null
}

/**
 * `shape` names everything of the file but the slots' addresses; a worker shows it in `show info`, so that an adopted one
 * tells by itself whether it needs a reload.
 */
export function configText(setting: Setting, places: Places, shape: string): string {
  return [
    globalText(places, shape),
    DEFAULTS,
    quietText(places),
    ...setting.listeners.map(listener => portText(listener, setting.slots.get(listener.name) ?? [])),
  ].join('\n')
}

/** Text with every address taken out: what a reload is needed for. */
export function shapeText(listeners: readonly Listener[], counts: ReadonlyMap<string, number>): string {
  const ports = listeners.map(({ name, mode, binds }) => [name, mode, counts.get(name) ?? 0, ...binds.map(bindText)].join(' '))
  return [VERSION, ...ports].join('\n')
}

/** The backends that hold a listener's slots: a detecting one has one for each protocol. */
export function backendsOf(listener: Pick<Listener, 'name' | 'mode'>): readonly string[] {
  return listener.mode === 'detect' ? [`${listener.name}.http`, `${listener.name}.tcp`] : [listener.name]
}

export function serverName(slot: number): string {
  return `s${slot + 1}`
}

/** To be raised with every change of this file's settings: running workers of another version are then reloaded. */
const VERSION = 'settings 1'

function globalText(places: Places, shape: string): string {
  const user = places.workerUid === null ? '' : `  uid ${places.workerUid}\n  gid ${places.workerUid}\n`
  return `global
  description ${shape}
  nbthread 1
  maxconn 8192
  mworker-max-reloads 30
${user}  stats socket unix@${places.adminSocket} mode 600 level admin expose-fd listeners
`
}

// - conn-failure only: a request that was sent is never sent again.
// - idle-close-on-response: at a reload an idle keep-alive client is told at its next response instead of being cut.
// - http-keep-alive bounds how long a worker of before a reload can keep idle clients.
// - pool-purge-delay below every usual server's own idle limit (2 s and up), so that a pooled connection is seldom one that is just closing.
// - disable-h2-upgrade: one connection is at most one session, which the drain of old workers counts on; servers get HTTP/1 anyway.
// - client and server 1 h: like a Service of Kubernetes, which knows no request limit; dead peers are found by TCP keep-alive.
const DEFAULTS = `defaults common
  timeout connect 3s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout client-fin 1m
  timeout server-fin 1m
  option clitcpka
  option srvtcpka
  option dontlognull
  option redispatch 1
  retries 3
  balance roundrobin
  default-server init-addr none pool-purge-delay 1s

defaults http from common
  mode http
  timeout http-request 10s
  timeout http-keep-alive 5s
  option forwardfor
  option idle-close-on-response
  option disable-h2-upgrade
  retry-on conn-failure

defaults tcp from common
  mode tcp
`

/** There is always one listener, as HAProxy does not start without any. */
function quietText(places: Places): string {
  return `frontend slipway from http
  bind ${loopbackOf(places.quietAddress)}:1
  http-request return status 200
`
}

/**
 * `10.210.0.16` -> `127.210.0.16`: as much its own, and out of reach for containers. Not an abstract or unix socket: those cannot be
 * resumed after a reload that failed, and HAProxy then ends with all its workers (2.6.12).
 */
function loopbackOf(ip: string): string {
  return ip.replace(/^\d+/, '127')
}

/** Frontends are named apart from backends: asked for a name, `show stat` gives the first that has it. */
function portText(listener: Listener, slots: readonly Slot[]): string {
  if (listener.mode === 'detect') return detectText(listener, slots)
  const refusal = listener.mode === 'tcp' ? refusalText(listener.name) : ''
  return `frontend ${listener.name}.in from ${listener.mode}
${bindLines(listener)}${refusal}  default_backend ${listener.name}
backend ${listener.name} from ${listener.mode}
${serverLines(slots)}`
}

/**
 * The first bytes decide. Whoever waits for the server to speak first is let through as TCP after 50 ms. What speaks HTTP is handed
 * to a listener of its own on loopback, because a connection upgraded in place would lose idle-close-on-response.
 * HTTP/2 without TLS stays TCP: its servers (gRPC) do not speak HTTP/1.
 */
function detectText(listener: Listener, slots: readonly Slot[]): string {
  const [http, tcp] = backendsOf(listener)
  const own = listener.binds[0] ?? { ip: '127.0.0.1', port: 1 }
  const door = `${loopbackOf(own.ip)}:${own.port}`
  return `frontend ${listener.name}.in from tcp
${bindLines(listener)}  tcp-request inspect-delay 50ms
  acl h2 req.payload(0,3) -m bin 505249
  tcp-request content accept if HTTP
  use_backend ${listener.name}.door if HTTP !h2
  default_backend ${tcp}
backend ${listener.name}.door from tcp
  server door ${door} send-proxy-v2
frontend ${http}.in from http
  bind ${door} accept-proxy
  default_backend ${http}
backend ${http} from http
${serverLines(slots)}backend ${tcp} from tcp
${serverLines(slots)}`
}

/** Nobody ready: a TCP client is turned away at once instead of being accepted for nothing. */
function refusalText(backend: string): string {
  return `  tcp-request connection reject if { nbsrv(${backend}) eq 0 }\n`
}

function bindLines(listener: Listener): string {
  return listener.binds.map(bind => `  bind ${bindText(bind)}\n`).join('')
}

function bindText(bind: { readonly ip: string; readonly port: number }): string {
  return `${bind.ip}:${bind.port}`
}

function serverLines(slots: readonly Slot[]): string {
  const line = ({ ip, port, open }: Slot, index: number) =>
    `  server ${serverName(index)} ${ip}:${port}${open ? '' : ' disabled'}\n`
  return slots.map(line).join('')
}
