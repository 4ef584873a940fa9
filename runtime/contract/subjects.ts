// Where everything lies in NATS, and who may touch it: buckets, keys, subjects, and the server's authorization as data.

export const buckets = {
  /** Desired documents; the controller writes `<node>.<application>.head`, nodes read their own prefix. */
  desired: 'slipway-desired',
  /** `<node>.<application>.report` and `.returned` (the document a node gives back to a store that lost it); nodes write their own prefix. */
  reports: 'slipway-reports',
  /** Node leases under `<node>.lease`. */
  nodes: 'slipway-nodes',
  /** What the controller stores for itself, sealed. */
  store: 'slipway-store',
  /** The controller's lease, with a ttl. */
  leases: 'slipway-leases',
} as const

export const eventStream = 'SLIPWAY_EVENTS'

/**
 * Any name as one token of a key or subject: letters, digits and `-` stay, each other byte is `_` and two hex digits.
 * `shop.eu` -> `shop_2eeu`. No two names give one token.
 */
export function encodeToken(name: string): string {
  if (name === '') return '_'
  // Nearly all are; it is asked for with every look at what is stored.
  if (/^[A-Za-z0-9-]+$/.test(name)) return name
  return Array.from(Buffer.from(name, 'utf8'), byte => tokenByte(byte)).join('')
}

function tokenByte(byte: number): string {
  const letter = String.fromCharCode(byte)
  return /[A-Za-z0-9-]/.test(letter) ? letter : `_${byte.toString(16).padStart(2, '0')}`
}

export function decodeToken(token: string): string {
  if (token === '_') return ''
  const bytes: number[] = []
  for (let at = 0; at < token.length; at++) {
    const escaped = token[at] === '_'
    bytes.push(escaped ? Number.parseInt(token.slice(at + 1, at + 3), 16) : token.charCodeAt(at))
    if (escaped) at += 2
  }
  return Buffer.from(bytes).toString('utf8')
}

export type KeyKind = 'head' | 'report' | 'returned'

export function documentKey(node: string, application: string, kind: KeyKind): string {
  return `${encodeToken(node)}.${encodeToken(application)}.${kind}`
}

/** `null` for keys of another form, such as chunks. */
export function parseDocumentKey(
  key: string,
): { readonly node: string; readonly application: string; readonly kind: KeyKind } | null {
  const [node, application, kind, more] = key.split('.')
  if (node === undefined || application === undefined || more !== undefined) return null
  if (kind !== 'head' && kind !== 'report' && kind !== 'returned') return null
  return { node: decodeToken(node), application: decodeToken(application), kind }
}

export function leaseKey(node: string): string {
  return `${encodeToken(node)}.lease`
}

/** What others may subscribe to: `slipway.events.<application>.<what>`. */
export function eventSubject(application: string, what: string): string {
  return `slipway.events.${encodeToken(application)}.${encodeToken(what)}`
}

/** The controller asks here for a pod's logs. */
export function logRequestSubject(node: string): string {
  return `slipway.node.${encodeToken(node)}.logs`
}

/** The node answers a log request here, line by line; `stream` is the request's own random token. */
export function logStreamSubject(node: string, stream: string): string {
  return `slipway.logs.${encodeToken(node)}.${stream}`
}

/** A client's replies come here; set as the inbox prefix of its connection, and the only inbox it may subscribe to. */
export function inboxPrefix(who: { readonly node: string } | 'controller'): string {
  return who === 'controller' ? '_INBOX_controller' : `_INBOX_node_${encodeToken(who.node)}`
}

export interface Rights {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

/**
 * The least a node needs (trust.md section 6): read and watch its own desired documents, write its own reports and lease, answer
 * for its logs. A KV opened with `bindOnly` and `allow_direct` needs no more; `$JS.>` is never granted.
 */
export function nodeRights(node: string): Rights {
  const token = encodeToken(node)
  const desired = `KV_${buckets.desired}`
  return {
    publish: [
      '$JS.API.INFO',
      `$JS.API.STREAM.INFO.KV_${buckets.desired}`,
      `$JS.API.STREAM.INFO.KV_${buckets.reports}`,
      `$JS.API.STREAM.INFO.KV_${buckets.nodes}`,
      `$JS.API.DIRECT.GET.${desired}.$KV.${buckets.desired}.${token}.>`,
      `$JS.API.CONSUMER.CREATE.${desired}.*.$KV.${buckets.desired}.${token}.>`,
      `$JS.FC.${desired}.>`,
      `$KV.${buckets.reports}.${token}.>`,
      `$KV.${buckets.nodes}.${leaseKey(node)}`,
      `slipway.logs.${token}.>`,
    ],
    subscribe: [`${inboxPrefix({ node })}.>`, logRequestSubject(node)],
  }
}

/** The controller has all of our subjects and JetStream, and no other's inbox. */
export function controllerRights(): Rights {
  return {
    publish: ['$JS.API.>', '$JS.FC.>', '$JS.ACK.>', ...Object.values(buckets).map(bucket => `$KV.${bucket}.>`), 'slipway.>'],
    subscribe: [`${inboxPrefix('controller')}.>`, 'slipway.>'],
  }
}

/** The server's `authorization` block: nkeys, so that the server's file holds public keys only. */
export function authorizationBlock(
  controller: string,
  nodes: readonly { readonly node: string; readonly nats: string }[],
): string {
  const users = [userEntry(controller, controllerRights()), ...nodes.map(({ node, nats }) => userEntry(nats, nodeRights(node)))]
  return `authorization {\n  users = [\n${users.join(',\n')}\n  ]\n}\n`
}

function userEntry(nkey: string, rights: Rights): string {
  if (!/^U[A-Z2-7]{55}$/.test(nkey)) throw new Error(`${nkey.slice(0, 8)}...: not the public nkey of a user (U and 55 letters)`)
  const list = (subjects: readonly string[]) => `[${subjects.map(subject => JSON.stringify(subject)).join(', ')}]`
  return `    { nkey: ${nkey}, permissions: { publish: { allow: ${list(rights.publish)} }, subscribe: { allow: ${list(rights.subscribe)} } } }`
}
