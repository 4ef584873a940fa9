// A kubelet that is played: pods bound to its one node go through the states that a real kubelet reports, faster, with no container.
// What a pod does is written in its annotation `test.slipway.dev/play`:
//   (none)        ready at once
//   ready 500     ready after that many ms
//   crash         ends three times with exit code 1, then CrashLoopBackOff
//   crash-later   ready, then ends three times
//   pull          ImagePullBackOff
//   name          InvalidImageName
//   config        CreateContainerConfigError
//   oom           ends twice for its memory
//   never         runs and never gets ready
//   fail          (a Job's pod) ends with exit code 1
// A Job's pod ends with exit code 0 after 200 ms otherwise.
import { createHash } from 'node:crypto'
import { Agent, request } from 'undici'
import type { Json } from './server.js'

export const playAnnotation = 'test.slipway.dev/play'
/** Another text, another content of the same tag. */
const pushedAnnotation = 'test.slipway.dev/pushed'

export interface Player {
  /** Patches the node or anything else goes on; no further pod is played until `resume`. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

interface Access {
  readonly url: string
  readonly token: string
  readonly ca: string
}

type Call = (method: string, path: string, body?: unknown, contentType?: string) => Promise<Json>

const node = 'played'

export async function playPods(access: Access): Promise<Player> {
  const agent = new Agent({ connect: { ca: access.ca }, connections: 16, bodyTimeout: 0, headersTimeout: 0 })
  const ending = new AbortController()
  const headers = { authorization: `Bearer ${access.token}`, accept: 'application/json' }
  const call: Call = async (method, path, body, contentType = 'application/json') => {
    const { statusCode, body: said } = await request(`${access.url}${path}`, {
      dispatcher: agent,
      method: method as 'GET',
      headers: { ...headers, 'content-type': contentType },
      signal: ending.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await said.text()
    if (statusCode >= 300) throw Object.assign(new Error(`${method} ${path}: ${statusCode} ${text}`), { statusCode })
    return text === '' ? null : JSON.parse(text)
  }
  await addNode(call)

  const begun = new Set<string>()
  let isPaused = false
  const see = (pod: Json) => {
    if (isPaused || pod.spec?.nodeName !== node) return
    const uid = pod.metadata.uid as string
    if (pod.metadata.deletionTimestamp !== undefined) return void endPod(call, pod).catch(() => {})
    if (begun.has(uid)) return
    begun.add(uid)
    playOne(call, pod, ending.signal).catch(() => begun.delete(uid))
  }
  const running = watchPods(access, agent, headers, see, ending.signal)
  return {
    pause: () => {
      isPaused = true
    },
    resume: () => {
      isPaused = false
      call('GET', '/api/v1/pods')
        .then(list => list.items.forEach(see))
        .catch(() => {})
    },
    async stop() {
      ending.abort()
      await running
      await agent.destroy()
    },
  }
}

async function addNode(call: Call): Promise<void> {
  const labels = { 'kubernetes.io/hostname': node, 'kubernetes.io/os': 'linux' }
  await call('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: node, labels } }).catch(error => {
    if (error.statusCode !== 409) throw error
  })
  const size = { cpu: '32', memory: '64Gi', pods: '5000' }
  const conditions = [{ type: 'Ready', status: 'True', reason: 'Played', message: '', lastTransitionTime: stamp() }]
  await call(
    'PATCH',
    `/api/v1/nodes/${node}/status`,
    { status: { capacity: size, allocatable: size, conditions } },
    'application/merge-patch+json',
  )
}

/** Lists, then watches; from the beginning again whenever that ends. */
async function watchPods(
  { url }: Access,
  agent: Agent,
  headers: Record<string, string>,
  see: (pod: Json) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { body } = await request(`${url}/api/v1/pods?watch=1`, {
        dispatcher: agent,
        headers,
        signal,
      })
      let rest = ''
      for await (const chunk of body) {
        const lines = (rest + chunk.toString('utf8')).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line !== '') seeEvent(JSON.parse(line), see)
      }
    } catch {
      await pause(100, signal)
    }
  }
}

function seeEvent({ type, object }: Json, see: (pod: Json) => void): void {
  if (type === 'ADDED' || type === 'MODIFIED') see(object)
}

async function endPod(call: Call, pod: Json): Promise<void> {
  await call('DELETE', pathOf(pod), { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 })
}

async function playOne(call: Call, pod: Json, signal: AbortSignal): Promise<void> {
  const say = (status: Json) => call('PATCH', `${pathOf(pod)}/status`, { status }, 'application/merge-patch+json')
  for (const { afterMs, status } of scenes(pod)) {
    if (afterMs > 0) await pause(afterMs, signal)
    if (signal.aborted) return
    await say(status)
  }
}

interface Scene {
  readonly afterMs: number
  readonly status: Json
}

function scenes(pod: Json): readonly Scene[] {
  const [play = '', ms = '0'] = String(pod.metadata.annotations?.[playAnnotation] ?? '').split(' ')
  const isJobs = pod.metadata.ownerReferences?.some((owner: Json) => owner.kind === 'Job')
  if (isJobs || pod.spec.restartPolicy === 'Never') return jobScenes(pod, play, Number(ms))
  const waits = (reason: string, message: string) => [{ afterMs: 0, status: pending(pod, reason, message) }]
  switch (play) {
    case 'crash':
      return endings(pod, 3, 'Error', 1)
    case 'crash-later':
      return [
        { afterMs: 0, status: running(pod, true) },
        { afterMs: Number(ms) || 300, status: ended(pod, 0, 'Error', 1) },
        ...endings(pod, 3, 'Error', 1),
      ]
    case 'oom':
      return endings(pod, 2, 'OOMKilled', 137)
    case 'pull':
      return waits('ImagePullBackOff', 'Back-off pulling image')
    case 'name':
      return waits('InvalidImageName', "couldn't parse image name")
    case 'config':
      return waits('CreateContainerConfigError', 'secret "missing" not found')
    case 'never':
      return [{ afterMs: 0, status: running(pod, false) }]
    default:
      return [{ afterMs: Number(ms), status: running(pod, true) }]
  }
}

function jobScenes(pod: Json, play: string, ms: number): readonly Scene[] {
  const exitCode = play === 'fail' ? 1 : 0
  const reason = exitCode === 0 ? 'Completed' : 'Error'
  const done = { ...ended(pod, 0, reason, exitCode), phase: exitCode === 0 ? 'Succeeded' : 'Failed' }
  return [
    { afterMs: 0, status: running(pod, true) },
    { afterMs: ms || 200, status: done },
  ]
}

function endings(pod: Json, count: number, reason: string, exitCode: number): readonly Scene[] {
  return Array.from({ length: count }, (_, restarts) => [
    { afterMs: restarts === 0 ? 0 : 60, status: running(pod, false, restarts) },
    { afterMs: 60, status: ended(pod, restarts, reason, exitCode) },
    { afterMs: 60, status: backedOff(pod, restarts, reason, exitCode) },
  ]).flat()
}

function running(pod: Json, ready: boolean, restarts = 0): Json {
  const state = { running: { startedAt: stamp() }, waiting: null, terminated: null }
  const one = { ready, started: true, restartCount: restarts, state }
  return status(pod, 'Running', ready, one)
}

function ended(pod: Json, restarts: number, reason: string, exitCode: number): Json {
  const terminated = { exitCode, reason, startedAt: stamp(), finishedAt: stamp() }
  const one = { ready: false, started: false, restartCount: restarts, state: { terminated, running: null, waiting: null } }
  return status(pod, 'Running', false, one)
}

function backedOff(pod: Json, restarts: number, reason: string, exitCode: number): Json {
  const terminated = { exitCode, reason, startedAt: stamp(), finishedAt: stamp() }
  const waiting = { reason: 'CrashLoopBackOff', message: 'back-off restarting failed container' }
  const one = {
    ready: false,
    started: false,
    restartCount: restarts,
    lastState: { terminated },
    state: { waiting, running: null, terminated: null },
  }
  return status(pod, 'Running', false, one)
}

function pending(pod: Json, reason: string, message: string): Json {
  const one = { ready: false, started: false, restartCount: 0, state: { waiting: { reason, message } } }
  return status(pod, 'Pending', false, one)
}

/** Lists in a merge patch are replaced whole. */
function status(pod: Json, phase: string, ready: boolean, container: Json): Json {
  const condition = (type: string, isTrue: boolean) => ({
    type,
    status: isTrue ? 'True' : 'False',
    lastTransitionTime: stamp(),
    ...(isTrue ? {} : { reason: 'ContainersNotReady' }),
  })
  return {
    phase,
    startTime: pod.metadata.creationTimestamp,
    hostIP: '10.250.0.1',
    podIP: '10.250.0.2',
    conditions: [
      condition('PodScheduled', true),
      condition('Initialized', true),
      condition('ContainersReady', ready),
      condition('Ready', ready),
    ],
    containerStatuses: pod.spec.containers.map((spec: Json) => ({
      name: spec.name,
      image: spec.image,
      imageID: imageIdOf(spec.image, String(pod.metadata.annotations?.[pushedAnnotation] ?? '')),
      lastState: {},
      ...container,
    })),
  }
}

/** As pulled from a registry: by its digest, which is another after the tag was pushed anew. */
function imageIdOf(image: string, pushed: string): string {
  const [repository = '', digest] = image.split('@')
  const content = createHash('sha256').update(`${image} ${pushed}`).digest('hex')
  return `${repository.replace(/:[^/:]*$/, '')}@${digest ?? `sha256:${content}`}`
}

function pathOf(pod: Json): string {
  return `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}`
}

function stamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z')
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true })
  })
}
