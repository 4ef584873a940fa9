// A room of living pods on the real engine, for tests: its own network, node name and directories, all removed at the end.
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { volumeOfClaim } from '../../runtime/docker/claims.js'
import { connectDocker, type Docker } from '../../runtime/docker/client.js'
import { createImages } from '../../runtime/docker/images.js'
import { createPods, type RuntimePods } from '../../runtime/pods/pods.js'
import { openPodStore } from '../../runtime/pods/store.js'
import type { ContainerSpec, PodRecord, PodSpec, PodView } from '../../runtime/pods/types.js'
import type { PodWorld } from '../../runtime/pods/world.js'
import { createVolumes } from '../../runtime/volumes/volumes.js'
import { loadBusybox, testDocker } from './images.js'

export interface PodRoom {
  readonly world: PodWorld
  readonly image: string
  readonly imageId: string
  readonly dir: string
  readonly memoryDir: string
  readonly key: string
  readonly found: Record<string, Readonly<Record<string, string>>>
  /** Another runtime over the same disk and engine. The one before must have been closed, or be as good as killed. */
  open(): RuntimePods
  close(): Promise<void>
}

/** `host`: of another engine than the one that tests share. */
export async function podRoom(host?: string): Promise<PodRoom> {
  const docker = host === undefined ? testDocker() : connectDocker(host)
  const mark = `podtest-${randomBytes(4).toString('hex')}`
  const dir = mkdtempSync(join(tmpdir(), 'slipway-pods-'))
  const memoryDir = mkdtempSync('/dev/shm/slipway-pods-')
  const image = `slipway-${mark}/busybox:1`
  const imageId = await loadBusybox(docker, { tag: image })
  const network = await freeNetwork(docker, mark)
  const given = new Map<string, string>()
  let last = 9
  const podAddress = (uid: string): string => {
    if (!given.has(uid)) given.set(uid, `${network}.${++last}`)
    return given.get(uid)!
  }
  const found: PodRoom['found'] = {}
  const key = randomBytes(32)
  const opened: RuntimePods[] = []
  const parts: RoomParts = {
    mark,
    dir,
    memoryDir,
    key: key.toString('hex'),
    podAddress,
    releaseAddress: uid => given.delete(uid),
    found,
  }
  const world = roomWorld(docker, parts)
  return {
    world,
    image,
    imageId,
    dir,
    memoryDir,
    found,
    key: parts.key,
    open: () => {
      const pods = createPods(world)
      opened.push(pods)
      return pods
    },
    close: async () => {
      await Promise.all(opened.map(pods => pods.close()))
      const left = await docker.containers.list([`slipway.node=${mark}`])
      for (const holding of [false, true]) {
        const some = left.filter(each => (each.Labels?.['slipway.container'] === 'POD') === holding)
        await Promise.all(some.map(each => docker.containers.remove(each.Id)))
      }
      for (const volume of await docker.volumes.list([`slipway.application=${mark}`])) await docker.volumes.remove(volume.Name)
      await docker.networks.remove(mark)
      await docker.images.remove(image).catch(() => undefined)
      rmSync(dir, { recursive: true, force: true })
      rmSync(memoryDir, { recursive: true, force: true })
      await docker.close()
    },
  }
}

/** Made, with a range that nobody on the machine has; gives its first three numbers. */
export async function freeNetwork(docker: Docker, name: string, more: object = {}): Promise<string> {
  for (let tries = 1; ; tries++) {
    const network = `10.231.${randomInt(256)}`
    try {
      await docker.networks.create({ Name: name, IPAM: { Config: [{ Subnet: `${network}.0/24` }] }, ...more })
      return network
    } catch (error) {
      if (tries === 50 || !/overlaps|already used/i.test(String(error))) throw error
    }
  }
}

export interface RoomParts {
  readonly mark: string
  readonly dir: string
  readonly memoryDir: string
  readonly key: string
  readonly podAddress: (uid: string) => string
  readonly releaseAddress: (uid: string) => void
  readonly found: PodRoom['found']
}

export function roomWorld(docker: Docker, parts: RoomParts): PodWorld {
  return {
    docker,
    images: createImages(docker),
    volumes: createVolumes({
      diskDir: join(parts.dir, 'volumes'),
      memoryDir: parts.memoryDir,
      claim: (...asked) => volumeOfClaim(docker, ...asked),
    }),
    store: openPodStore(join(parts.dir, 'pods'), Buffer.from(parts.key, 'hex')),
    node: parts.mark,
    network: parts.mark,
    addresses: { podAddress: parts.podAddress, releaseAddress: parts.releaseAddress, keepOnlyAddresses: () => undefined },
    dns: () => ({ servers: [], search: ['shop.svc.cluster.local'], options: ['ndots:5'] }),
    machine: { hostIP: '10.0.0.1', cpuMillis: 2000, memoryBytes: 4 * 1024 ** 3 },
    bootId: 'boot-1',
    lookUp: (_, kind, name) => parts.found[`${kind}/${name}`] ?? null,
    drained: async () => undefined,
    engineLost: () => undefined,
    now: Date.now,
    elapsed: () => performance.now(),
    log: {
      info: () => undefined,
      warn: process.env.SLIPWAY_TEST_LOG ? (facts, text) => console.error(text, facts) : () => undefined,
    },
  }
}

export function container(image: string, over: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: 'main',
    image,
    imagePullPolicy: 'IfNotPresent',
    ports: [],
    env: [],
    envFrom: [],
    resources: { requests: {}, limits: {} },
    volumeMounts: [],
    lifecycle: {},
    securityContext: {},
    stdin: false,
    tty: false,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    ...over,
  }
}

/** `sh -c script`, ended at once by SIGTERM unless the script says otherwise. */
export function script(image: string, text: string, over: Partial<ContainerSpec> = {}): ContainerSpec {
  return container(image, { command: ['sh', '-c', text], ...over })
}

export function podRecord(
  name: string,
  spec: Partial<PodSpec> & { readonly containers: readonly ContainerSpec[] },
  over: Partial<PodRecord> = {},
): PodRecord {
  return {
    uid: randomUUID(),
    name,
    namespace: 'shop',
    application: { name: 'shop', uid: 'a1' },
    owner: null,
    workload: null,
    templateHash: 'h1',
    release: 'r1',
    attempt: 1,
    labels: { app: name },
    annotations: {},
    createdAt: new Date().toISOString(),
    spec: {
      initContainers: [],
      volumes: [],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 2,
      hostAliases: [],
      dnsPolicy: 'ClusterFirst',
      hostNetwork: false,
      shareProcessNamespace: false,
      imagePullSecrets: [],
      securityContext: {},
      ...spec,
    },
    digests: {},
    configMaps: {},
    secrets: {},
    minReadySeconds: 0,
    gatePorts: [],
    portMap: {},
    ...over,
  }
}

/** The first view for which it holds; an error that shows the newest one where it never does (30 s). */
export async function until(
  pods: RuntimePods,
  uid: string,
  holds: (view: PodView) => boolean,
  limitMs = 30_000,
): Promise<PodView> {
  const look = (): PodView | undefined => pods.list().find(view => view.record.uid === uid)
  return new Promise((resolve, reject) => {
    let stop = (): void => undefined
    const check = (): void => {
      const view = look()
      if (view === undefined || !holds(view)) return
      finish()
      resolve(view)
    }
    const finish = (): void => {
      clearTimeout(timer)
      stop()
    }
    const timer = setTimeout(() => {
      finish()
      const { record: _, ...seen } = look() ?? { record: null }
      reject(new Error(`not within ${limitMs} ms; the pod is ${JSON.stringify(seen, null, 1)}`))
    }, limitMs)
    stop = pods.onChange(check)
    check()
  })
}

/** Resolves once the pod is no longer listed. */
export async function untilGone(pods: RuntimePods, uid: string): Promise<void> {
  const listed = (): boolean => pods.list().some(view => view.record.uid === uid)
  if (!listed()) return
  await new Promise<void>(resolve => {
    const stop = pods.onChange(() => {
      if (listed()) return
      stop()
      resolve()
    })
  })
}

export function base64(data: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
}
