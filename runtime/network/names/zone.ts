// Which answer a name gets: the Services of this machine under the cluster domain, everything else to be asked elsewhere. Pure.
// Source of the rules: Kubernetes' DNS-based service discovery specification, version 1.1.0.
import type { Answer, Packet, Question } from 'dns-packet'

/** What the responder reads from its file. Written whole, with every change. */
export interface Zone {
  readonly version: 1
  /** `cluster.local` */
  readonly domain: string
  readonly services: readonly ZoneService[]
}

export interface ZoneService {
  readonly namespace: string
  readonly name: string
  /** The Service's own address; null for a headless or external one. */
  readonly ip: string | null
  readonly externalName: string | null
  readonly ports: readonly { readonly name: string; readonly port: number }[]
  /** Headless only: the ready pods. */
  readonly hosts: readonly ZoneHost[]
}

export interface ZoneHost {
  readonly ip: string
  /** `web-0`; without one it is named after its address: `10-211-0-5`. */
  readonly hostname: string
  /** Port name -> the pod's own port. */
  readonly ports: Readonly<Record<string, number>>
}

/** Names change with every rollout, so nobody shall keep them long. */
export const TTL_S = 5

type Reply = Pick<Packet, 'answers' | 'authorities' | 'additionals'> & { readonly rcode: 'NOERROR' | 'NXDOMAIN' }

/** 'forward' for what is not under the domain. `turn` rotates the addresses of headless Services from one answer to the next. */
export function reply(zone: Zone, question: Question, turn: number): Reply | 'forward' {
  const name = question.name.toLowerCase().replace(/\.$/, '')
  if (question.type === 'PTR') return replyReverse(zone, question, name)
  if (name !== zone.domain && !name.endsWith(`.${zone.domain}`)) return 'forward'
  const found = name === zone.domain || name === `svc.${zone.domain}` ? [] : look(zone, name, turn)
  if (found === null) return { rcode: 'NXDOMAIN', authorities: [authority(zone)] }
  return answered(zone, question, found)
}

/** What a name means, whatever type is asked for. */
type Meaning =
  | { readonly kind: 'address'; readonly ip: string }
  | { readonly kind: 'alias'; readonly to: string }
  | { readonly kind: 'port'; readonly port: number; readonly target: string; readonly ip: string }

function look(zone: Zone, name: string, turn: number): readonly Meaning[] | null {
  const [kind, namespace, service, ...rest] = name
    .slice(0, -zone.domain.length - 1)
    .split('.')
    .reverse()
  if (kind !== 'svc') return null
  const ofNamespace = zone.services.filter(one => one.namespace === namespace)
  if (service === undefined) return ofNamespace.length > 0 ? [] : null
  const found = ofNamespace.find(one => one.name === service)
  if (found === undefined) return null
  if (rest.length === 0) return whole(found, turn)
  return rest.length === 1 ? oneHost(found, rest[0] ?? '') : onePort(zone, found, rest[1] ?? '', rest[0] ?? '')
}

function whole(service: ZoneService, turn: number): readonly Meaning[] {
  if (service.externalName !== null) return [{ kind: 'alias', to: service.externalName }]
  const ips = service.ip !== null ? [service.ip] : service.hosts.map(host => host.ip)
  return rotated([...new Set(ips)], turn).map(ip => ({ kind: 'address', ip }))
}

/** `web-0.web.shop.svc`; `_tcp.web.shop.svc` exists, as names below it do. */
function oneHost(service: ZoneService, label: string): readonly Meaning[] | null {
  if (label === '_tcp' && service.ports.length > 0) return []
  const hosts = service.hosts.filter(host => hostLabel(host) === label)
  return hosts.length === 0 ? null : hosts.map(({ ip }) => ({ kind: 'address', ip }))
}

/** `_http._tcp.web.shop.svc`: the Service itself, or every pod of a headless one, with the pod's own port. */
function onePort(zone: Zone, service: ZoneService, label: string, protocol: string): readonly Meaning[] | null {
  const port = service.ports.find(one => one.name !== '' && `_${one.name}` === label)
  if (port === undefined || protocol !== '_tcp') return null
  const base = `${service.name}.${service.namespace}.svc.${zone.domain}`
  if (service.ip !== null) return [{ kind: 'port', port: port.port, target: base, ip: service.ip }]
  return service.hosts.map(host => ({
    kind: 'port',
    port: host.ports[port.name] ?? port.port,
    target: `${hostLabel(host)}.${base}`,
    ip: host.ip,
  }))
}

function answered(zone: Zone, question: Question, meanings: readonly Meaning[]): Reply {
  const name = question.name
  const answers: Answer[] = []
  const additionals: Answer[] = []
  for (const meaning of meanings) {
    if (meaning.kind === 'alias') answers.push({ type: 'CNAME', name, ttl: TTL_S, data: meaning.to })
    if (meaning.kind === 'address' && asks(question, 'A')) answers.push({ type: 'A', name, ttl: TTL_S, data: meaning.ip })
    if (meaning.kind !== 'port' || !asks(question, 'SRV')) continue
    const data = { port: meaning.port, target: meaning.target, priority: 0, weight: 100 }
    answers.push({ type: 'SRV', name, ttl: TTL_S, data })
    additionals.push({ type: 'A', name: meaning.target, ttl: TTL_S, data: meaning.ip })
  }
  // A name that exists without this type: an empty answer, never NXDOMAIN, which would hide its addresses too (RFC 8020).
  return { rcode: 'NOERROR', answers, additionals, authorities: answers.length === 0 ? [authority(zone)] : [] }
}

/** Addresses that are ours get their names; all others are asked elsewhere. */
function replyReverse(zone: Zone, question: Question, name: string): Reply | 'forward' {
  const ip = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name)?.slice(1).reverse().join('.')
  const names = zone.services.flatMap(service => {
    const base = `${service.name}.${service.namespace}.svc.${zone.domain}`
    const hosts = service.hosts.filter(host => host.ip === ip).map(host => `${hostLabel(host)}.${base}`)
    return service.ip === ip && ip !== undefined ? [base] : hosts
  })
  if (names.length === 0) return 'forward'
  return { rcode: 'NOERROR', answers: names.map(data => ({ type: 'PTR', name: question.name, ttl: TTL_S, data })) }
}

function asks(question: Question, type: 'A' | 'SRV'): boolean {
  return question.type === type || (question.type as string) === 'ANY'
}

/** How long "no such name" may be kept is its last field. */
function authority(zone: Zone): Answer {
  const data = {
    mname: `ns.dns.${zone.domain}`,
    rname: `hostmaster.${zone.domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86400,
    minimum: TTL_S,
  }
  return { type: 'SOA', name: zone.domain, ttl: TTL_S, data }
}

function hostLabel(host: ZoneHost): string {
  return host.hostname === '' ? host.ip.replaceAll('.', '-') : host.hostname
}

function rotated<T>(list: readonly T[], turn: number): readonly T[] {
  const at = list.length === 0 ? 0 : turn % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}
