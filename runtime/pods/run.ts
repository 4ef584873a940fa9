// Starts one run of a container: configuration and image first, then create and start, two calls to the engine.
import { setTimeout as delay } from 'node:timers/promises'
import type { Docker } from '../docker/client.js'
import { EngineError, isEngineError, isOwnFault } from '../docker/errors.js'
import { type Image, type ImageProblem, isProblem } from '../docker/images.js'
import { endLeftOver, isLeftOver } from '../docker/leftover.js'
import { ensurePauseImage } from '../docker/pause-image.js'
import type { ContainerInspected } from '../docker/shapes.js'
import { type Attachment, containerBody, containerName, rootProblem, sandboxBody, sandboxName } from './body.js'
import { ConfigError } from './config-error.js'
import type { PodSurroundings } from './downward.js'
import { environmentOf } from './environment.js'
import { needsSandbox, type PodLife, stateOf } from './life.js'
import type { ContainerSpec, PodRecord } from './types.js'
import type { PodWorld, Turns } from './world.js'

/** running: it runs, and since when. ended: it was there already and is over. The others: why it does not run. */
export type RunOutcome =
  | { readonly kind: 'running'; readonly id: string; readonly imageId: string; readonly startedAt: number }
  | { readonly kind: 'ended'; readonly id: string; readonly imageId: string }
  | { readonly kind: 'cannotRun'; readonly id: string; readonly imageId: string; readonly message: string }
  | { readonly kind: 'config'; readonly error: ConfigError }
  | { readonly kind: 'image'; readonly problem: ImageProblem }
  | { readonly kind: 'refused'; readonly message: string }
  /** The engine tried and could not: not the container's fault. */
  | { readonly kind: 'failed'; readonly message: string }

/** Throws EngineError (unreachable) where nobody knows what happened, and the signal's reason. */
export async function runContainer(
  world: PodWorld,
  life: PodLife,
  spec: ContainerSpec,
  saved: Promise<void>,
  turns: Turns,
  signal: AbortSignal,
): Promise<RunOutcome> {
  const { record } = life
  const around = surroundingsOf(world, record)
  try {
    const run = stateOf(life, spec.name).run + 1
    const [image, prepared, log] = await Promise.all([
      imageOf(world, record, spec, signal),
      world.volumes.prepare(record, around, signal),
      world.volumes.terminationFile(record.uid, spec.name, run),
      saved,
    ])
    if (isProblem(image)) return { kind: 'image', problem: image }
    const problem = rootProblem(record, spec, image.user)
    if (problem !== null) throw new ConfigError(problem)
    const mounts = [...(await world.volumes.mountsOf(spec, prepared)), bind(log, spec.terminationMessagePath)]
    const env = environmentOf(record, spec, around)
    const parts = { node: world.node, run, imageId: image.id, env, mounts, attachment: await attachmentOf(world, life) }
    const name = containerName(record, spec.name, run)
    return await turns(() => createAndStart(world, record, name, containerBody(record, spec, parts), image.id))
  } catch (error) {
    if (error instanceof ConfigError) return { kind: 'config', error }
    throw error
  }
}

export function surroundingsOf(world: PodWorld, record: PodRecord): PodSurroundings {
  return { ...world.machine, nodeName: world.node, podIP: addressOf(world, record) }
}

export function addressOf(world: PodWorld, record: PodRecord): string {
  return record.spec.hostNetwork ? world.machine.hostIP : world.addresses.podAddress(record.uid)
}

async function attachmentOf(world: PodWorld, life: PodLife): Promise<Attachment> {
  const { record } = life
  return {
    network: world.network,
    ip: addressOf(world, record),
    dns: dnsOf(world, record),
    sandbox: needsSandbox(record) ? life.sandbox.id : '',
    sharesHostname: !(await world.docker.isPodman()),
  }
}

/** Kubernetes' dnsPolicy: the cluster's names, the machine's, or only what the pod says (dnsConfig is added to each). */
function dnsOf(world: PodWorld, record: PodRecord): Attachment['dns'] {
  const { dnsPolicy, dnsConfig } = record.spec
  const base = dnsPolicy === 'ClusterFirst' ? world.dns(record.namespace) : { servers: [], search: [], options: [] }
  const options = (dnsConfig?.options ?? []).map(each => (each.value === undefined ? each.name : `${each.name}:${each.value}`))
  return {
    servers: [...base.servers, ...(dnsConfig?.nameservers ?? [])],
    search: [...base.search, ...(dnsConfig?.searches ?? [])],
    options: [...base.options, ...options],
  }
}

function imageOf(world: PodWorld, record: PodRecord, spec: ContainerSpec, signal: AbortSignal): Promise<Image | ImageProblem> {
  const configs = record.spec.imagePullSecrets.flatMap(name => {
    const data = record.secrets[name] ?? {}
    return [data['.dockerconfigjson'], data['.dockercfg']]
      .filter(text => text !== undefined)
      .map(text => Buffer.from(text, 'base64').toString('utf8'))
  })
  return world.images.ensureImage(spec.image, spec.imagePullPolicy, configs, signal, { pinned: record.digests[spec.image] })
}

function bind(source: string, target: string): object {
  return { Type: 'bind', Source: source, Target: target, ReadOnly: false }
}

/**
 * A name that is taken means that a runtime that was killed got this far: its container is taken over. Once begun it is not
 * cut short: the engine would go on, and nobody would know of what it made.
 */
async function createAndStart(
  world: PodWorld,
  record: PodRecord,
  name: string,
  body: unknown,
  imageId: string,
): Promise<RunOutcome> {
  const { docker } = world
  let id: string
  try {
    id = (await docker.containers.create(name, body)).Id
  } catch (error) {
    if (!isEngineError(error) || error.kind === 'unreachable') throw error
    if (error.kind !== 'conflict') return { kind: error.kind === 'failed' ? 'failed' : 'refused', message: error.message }
    const found = await docker.containers.inspect(name)
    if (found.Config.Labels?.['slipway.pod-uid'] !== record.uid)
      return { kind: 'refused', message: `${error.message}; it is not ours: remove it` }
    const before = asFound(found, imageId)
    if (before !== null) return before
    id = found.Id
  }
  return startContainer(world, record, id, imageId)
}

/** Null: it was created, and not started yet. */
function asFound(found: ContainerInspected, imageId: string): RunOutcome | null {
  if (found.State.Running) return { kind: 'running', id: found.Id, imageId, startedAt: Date.parse(found.State.StartedAt) }
  if (found.State.Status !== 'created') return { kind: 'ended', id: found.Id, imageId }
  const { Error: said } = found.State
  // What the engine could not do it is asked for once more.
  return said === '' || !isOwnFault({ kind: 'failed', status: 500, said }) ? null : { kind: 'ended', id: found.Id, imageId }
}

async function startContainer(world: PodWorld, record: PodRecord, id: string, imageId: string): Promise<RunOutcome> {
  try {
    await startFreeing(world, record, id)
    return { kind: 'running', id, imageId, startedAt: world.now() }
  } catch (error) {
    if (!isEngineError(error) || error.kind === 'unreachable') throw error
    // It never ran as far as the engine knows: the next try makes it anew, under an id that nothing hangs on.
    if (isLeftOver(error.said)) await world.docker.containers.remove(id)
    if (!isOwnFault(error)) return { kind: 'failed', message: error.message }
    return { kind: 'cannotRun', id, imageId, message: error.said }
  }
}

/**
 * The pod's address may still hang on an earlier container of the same pod: after an engine's crash for one, and on Podman, which
 * cleans up after a container has ended, in a process of its own.
 */
async function startFreeing(world: PodWorld, record: PodRecord, id: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await world.docker.containers.start(id)
    } catch (error) {
      if (isEngineError(error) && isLeftOver(error.said) && tries <= leftOverTries && endLeftOver(id) > 0) {
        world.log.warn({ pod: `${record.namespace}/${record.name}`, container: id }, 'ended processes that the engine had lost')
        await delay(leftOverPauseMs)
        continue
      }
      if (!isEngineError(error) || !addressTaken.test(error.said) || record.spec.hostNetwork || tries > addressTries) throw error
      if (tries > 1) await delay(addressPauseMs)
      await freeAddress(world.docker, world.network, record, id)
    }
  }
}

const leftOverTries = 3
const leftOverPauseMs = 200

const addressTaken = /address already in use|is already allocated to container/i
const addressTries = 25
const addressPauseMs = 200

async function freeAddress(docker: Docker, network: string, record: PodRecord, keep: string): Promise<void> {
  for (const each of await docker.containers.list([`slipway.pod-uid=${record.uid}`])) {
    if (each.Id === keep || each.State === 'running') continue
    await docker.networks.disconnect(network, each.Id).catch(() => undefined)
  }
}

/** The container that holds a pod's network; gives its id. Throws EngineError. */
export async function runSandbox(
  world: PodWorld,
  life: PodLife,
  saved: Promise<void>,
  turns: Turns,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly run: number }> {
  const { record } = life
  const run = life.sandbox.run + 1
  const [imageId] = await Promise.all([ensurePauseImage(world.docker, signal), saved])
  const body = sandboxBody(record, world.node, run, imageId, { ...(await attachmentOf(world, life)), sandbox: '' })
  const name = containerName(record, sandboxName, run)
  const outcome = await turns(() => createAndStart(world, record, name, body, imageId))
  if (outcome.kind === 'running') return { id: outcome.id, run }
  const said = 'message' in outcome ? outcome.message : 'it ended at once'
  if ('id' in outcome) await world.docker.containers.remove(outcome.id, signal)
  throw new EngineError(`starting the sandbox of pod ${record.namespace}/${record.name}`, 'failed', 500, said)
}
