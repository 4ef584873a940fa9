// What the runtime asks of the data plane, and what the data plane knows. Everything here is levels: `apply` is told the
// whole of what should be, as often as it likes; an unchanged call costs nothing.

export interface ServiceSpec {
  /** `shop/web`. */
  readonly namespace: string
  readonly name: string
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer'
  readonly headless: boolean
  readonly ports: readonly ServicePort[]
  readonly publishNotReady: boolean
  readonly externalName?: string
}

export interface ServicePort {
  readonly name: string
  readonly port: number
  readonly protocol: 'TCP'
  /** Fixed by the user or given out by the data plane (30000-32767) and kept; null for ClusterIP. */
  readonly nodePort: number | null
  /** `http` where the port says so (appProtocol, name http*, Ingress), `tcp` where it says that, `detect` otherwise. */
  readonly mode: 'http' | 'tcp' | 'detect'
}

/** One pod behind one Service port. Its target port is the pod's own (each pod keeps the mapping of its release). */
export interface Endpoint {
  readonly namespace: string
  readonly service: string
  readonly portName: string
  readonly servicePort: number
  readonly podUid: string
  readonly podName: string
  /** For StatefulSet names behind a headless Service: `web-0`; '' otherwise. */
  readonly hostname: string
  readonly ip: string
  readonly targetPort: number
  /** ready: gets traffic. draining: no new connections, the old ones end by themselves. */
  readonly state: 'ready' | 'draining'
}

export interface DataPlaneState {
  readonly services: readonly ServiceSpec[]
  readonly endpoints: readonly Endpoint[]
}

export interface DataPlane {
  /** Adopts what runs (HAProxy, names, addresses) or starts it; then steers it. */
  start(signal: AbortSignal): Promise<void>
  /** Makes it so: slots over the runtime API; a reload only when a listener is new. Resolves when traffic flows accordingly. */
  apply(state: DataPlaneState, signal: AbortSignal): Promise<void>
  /** Resolves when no HAProxy worker, those of before a reload included, holds a connection to this address; or at the limit, when the rest is cut. */
  drained(ip: string, limitMs: number, signal: AbortSignal): Promise<{ readonly cut: number }>
  /** The Service's own address, given out once and kept: `10.210.4.7`. */
  clusterIP(namespace: string, name: string): string
  nodePort(namespace: string, name: string, port: number): number | null
  /** Would these listeners collide with what listens now? For preflight. */
  conflicts(services: readonly ServiceSpec[]): Promise<readonly { readonly service: string; readonly message: string }[]>
  /** A free pod address of the runtime's own network, recycled late; the same again for the same uid. */
  podAddress(uid: string): string
  releaseAddress(uid: string): void
  /** Takes back what was given for pods that never came to be: the runtime was killed in between. */
  keepOnlyAddresses(uids: ReadonlySet<string>): void
  /** For a container that was found running: this address is its own, whatever the book says. */
  keepAddress(uid: string, ip: string): void
  /** For HostConfig: the responder's address and the search list of a namespace. */
  dns(namespace: string): {
    readonly servers: readonly string[]
    readonly search: readonly string[]
    readonly options: readonly string[]
  }
  /** The engine's network that pods are attached to, made by start(). */
  readonly podNetwork: string
  /** Ends HAProxy and names, takes addresses and bridges away. Only for `slipway down --purge`. */
  purge(): Promise<void>
}

/** What the data plane needs of the container engine. `network` resolves with null when there is none of that name. */
export interface NetworkEngine {
  network(name: string): Promise<FoundNetwork | null>
  /** Ranges of all its networks, and those that instances on it have for their Services: `10.210.0.0/16`. */
  ranges(): Promise<readonly string[]>
  /** False: the engine has another network in that range. */
  createNetwork(network: NewNetwork): Promise<boolean>
  /** Nothing happens when it is gone already. */
  removeNetwork(name: string): Promise<void>
}

export interface EngineNetwork {
  /** `10.211.0.0/16`, and the bridge's address in it. */
  readonly subnet: string
  readonly gateway: string
}

export interface FoundNetwork extends EngineNetwork {
  /** The range of its instance's Services; '' where its label does not say. */
  readonly services: string
}

/** On a pod network: the range of its instance's Services, so that others choose around it while the instance does not run. */
export const servicesLabel = 'slipway.dev/services'

/** A bridge network: IPAM {Subnet, Gateway, IPRange}, options {com.docker.network.bridge.name}, labels. */
export interface NewNetwork extends EngineNetwork {
  readonly name: string
  /** Where the engine takes addresses from for what is attached without one: never those that the data plane gives. */
  readonly ipRange: string
  /** The bridge's name, at most 15 characters. */
  readonly bridge: string
  readonly labels: Readonly<Record<string, string>>
}

/** Of the one instance that has the usual state directory. */
export const defaultNames = {
  network: 'slipway-pods',
  podBridge: 'slipway1',
  serviceBridge: 'slipway0',
  podRange: '10.211.0.0/16',
  serviceRange: '10.210.0.0/16',
} as const

export interface DataPlaneOptions {
  /** Of its own; at most 75 characters, as unix sockets live in it. */
  readonly stateDir: string
  readonly docker: NetworkEngine
  /** ms since 1970. */
  readonly now: () => number
  readonly log: (message: string, facts: Readonly<Record<string, unknown>>) => void
  /** `/usr/sbin/haproxy`, 2.4 or newer; '' where this machine has none: then it runs in `haproxyContainer`. */
  readonly haproxyPath: string
  readonly haproxyContainer?: HaproxyRunner
  /** The Node that answers for names while the runtime does not; default: this one. */
  readonly nodePath?: string
  /** Names on the machine: several instances need different ones. Defaults `slipway-pods`, `slipway1`, `slipway0`. */
  readonly network?: string
  readonly podBridge?: string
  readonly serviceBridge?: string
  /** Defaults 10.211.0.0/16 and 10.210.0.0/16; where that is routed already, the next free range. Fixed with the first start. */
  readonly podRange?: string
  readonly serviceRange?: string
}

/**
 * How HAProxy is run: as a program of this machine, or out of its image. Either way its processes and pids are the machine's, its
 * files lie in the state directory under the same path, and it lives on when we end.
 */
export interface HaproxyRunner {
  /** Rejects, with HAProxy's own words, for a configuration file that it would not run with. */
  check(file: string): Promise<void>
  /** Resolves with its pid once it was begun. */
  start(args: readonly string[]): Promise<number>
  /** The end of what it wrote, for an error's text. */
  lastWords(): Promise<string>
  /** Takes away what is left of it once it has ended; nothing happens when there is nothing. */
  remove(): Promise<void>
}
