// An image reference made to mean one image that is here: by pull policy, by pinned digest, with the registry's own words
// where it refuses.
import type { Docker } from './client.js'
import { isEngineError } from './errors.js'
import { type ImageReference, nameOf, parseReference } from './reference.js'
import { authSecrets, pickAuth } from './registry-auth.js'
import { excessOf, pullMeter, type Room } from './room.js'
import type { ImageInspected, PullProgress, RegistryAuth } from './shapes.js'

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never'

export interface Image {
  /** What containers are made from: `sha256:...`. */
  readonly id: string
  /** What it is known by afterwards: the repository's digest, or the id of an image that no registry knows. */
  readonly digest: string
  readonly user: string
  readonly stopSignal: string
}

export interface ImageProblem {
  readonly reason: 'InvalidImageName' | 'ErrImagePull' | 'ErrImageNeverPull'
  readonly cause: 'name' | 'never' | 'unauthorized' | 'notFound' | 'rateLimited' | 'tooLarge' | 'registry'
  readonly message: string
  /** Trying again later may help: the registry answers again, the tag is pushed. */
  readonly transient: boolean
}

export interface Images {
  /**
   * `configs`: texts of `.dockerconfigjson`, tried where they fit. `pinned`: what the reference meant when the release was
   * tried (`sha256:...`, an Image's digest): that one and no other is given. Throws EngineError where the engine is down.
   */
  ensureImage(
    ref: string,
    policy: PullPolicy,
    configs: readonly string[],
    signal: AbortSignal,
    options?: EnsureOptions,
  ): Promise<Image | ImageProblem>
}

export interface EnsureOptions {
  readonly pinned?: string | undefined
  readonly progress?: (line: PullProgress) => void
}

export function isProblem(result: Image | ImageProblem): result is ImageProblem {
  return 'reason' in result
}

/** `room` is asked before each pull. */
export function createImages(docker: Docker, room: () => Promise<Room> = async () => ({ allowed: null, free: null })): Images {
  const pulling = new Map<string, Promise<void>>()
  return {
    ensureImage: async (ref, policy, configs, signal, options = {}) => {
      const reference = parseReference(ref)
      if (reference === null) return invalidName(ref)
      const pinned = options.pinned ?? reference.digest
      const target = pinned === '' ? reference : pinnedTo(reference, pinned)
      if (policy !== 'Always' || pinned !== '') {
        const here = await findHere(docker, reference, target, pinned, signal)
        if (here !== null) return here
      }
      if (policy === 'Never') return neverPulled(ref)
      try {
        await pullOnce({ docker, room, pulling }, target, configs, options.progress, signal)
      } catch (error) {
        return pullProblem(error, ref, configs)
      }
      return toImage(await docker.images.inspect(target.text, signal), reference)
    },
  }
}

function pinnedTo(reference: ImageReference, digest: string): ImageReference {
  return { ...reference, digest, text: `${nameOf(reference)}@${digest}` }
}

/** A pin is an image id (local only) or a repository's digest: both are looked for. */
async function findHere(
  docker: Docker,
  reference: ImageReference,
  target: ImageReference,
  pinned: string,
  signal: AbortSignal,
): Promise<Image | null> {
  for (const name of pinned === '' ? [target.text] : [pinned, target.text]) {
    const found = await inspectOrNull(docker, name, signal)
    if (found !== null) return pinned === '' ? toImage(found, reference) : { ...toImage(found, reference), digest: pinned }
  }
  return null
}

async function inspectOrNull(docker: Docker, name: string, signal: AbortSignal): Promise<ImageInspected | null> {
  try {
    return await docker.images.inspect(name, signal)
  } catch (error) {
    if (isEngineError(error, 'notFound') || isEngineError(error, 'refused')) return null
    throw error
  }
}

function toImage(found: ImageInspected, reference: ImageReference): Image {
  const own = (found.RepoDigests ?? [])
    .map(parseReference)
    .find(each => each?.registry === reference.registry && each.repository === reference.repository)
  return {
    id: found.Id,
    digest: own?.digest || found.Id,
    user: found.Config?.User ?? '',
    stopSignal: found.Config?.StopSignal ?? '',
  }
}

interface Puller {
  readonly docker: Docker
  readonly room: () => Promise<Room>
  readonly pulling: Map<string, Promise<void>>
}

/** Pulls of the same image share one; its own signal does not end it for the others. */
async function pullOnce(
  { docker, room, pulling }: Puller,
  target: ImageReference,
  configs: readonly string[],
  progress: EnsureOptions['progress'],
  signal: AbortSignal,
): Promise<void> {
  const auth = pickAuth(target, configs)
  const key = JSON.stringify([target.text, auth])
  let running = pulling.get(key)
  if (running === undefined) {
    running = pullWithin(docker, room, target.text, auth, progress).finally(() => pulling.delete(key))
    running.catch(() => undefined)
    pulling.set(key, running)
  }
  await untilAborted(running, signal)
}

class TooLargeError extends Error {
  override name = 'TooLargeError'
}

/** Ended as soon as its layers are known to be too much. */
async function pullWithin(
  docker: Docker,
  room: () => Promise<Room>,
  ref: string,
  auth: RegistryAuth | null,
  progress: EnsureOptions['progress'],
): Promise<void> {
  const limits = await room()
  const measured = pullMeter()
  const ending = new AbortController()
  const take = (line: PullProgress): void => {
    progress?.(line)
    const excess = excessOf(measured(line), limits)
    if (excess !== null) ending.abort(new TooLargeError(`image ${ref} ${excess}`))
  }
  try {
    await docker.images.pull(ref, auth, take, ending.signal)
  } catch (error) {
    throw ending.signal.aborted ? ending.signal.reason : error
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function invalidName(ref: string): ImageProblem {
  return {
    reason: 'InvalidImageName',
    cause: 'name',
    message: `"${ref}" is not an image reference: write [registry/]name[:tag][@sha256:...] in lower case`,
    transient: false,
  }
}

function neverPulled(ref: string): ImageProblem {
  return {
    reason: 'ErrImageNeverPull',
    cause: 'never',
    message: `image ${ref} is not on this node and imagePullPolicy is Never: load it, or allow pulling`,
    transient: true,
  }
}

function pullProblem(error: unknown, ref: string, configs: readonly string[]): ImageProblem {
  if (error instanceof TooLargeError)
    return { reason: 'ErrImagePull', cause: 'tooLarge', message: error.message, transient: true }
  if (!isEngineError(error) || error.kind === 'unreachable') throw error
  const said = authSecrets(configs).reduce((text, secret) => text.replaceAll(secret, '***'), error.said)
  return { reason: 'ErrImagePull', cause: causeOf(said), message: `pulling ${ref}: ${said}`, transient: true }
}

/** Engines give registries' refusals as text only. */
function causeOf(said: string): ImageProblem['cause'] {
  if (/toomanyrequests|too many requests|429/i.test(said)) return 'rateLimited'
  if (/unauthorized|authentication required|no basic auth|denied|forbidden/i.test(said)) return 'unauthorized'
  if (/manifest unknown|not found|does not exist|no such image/i.test(said)) return 'notFound'
  return 'registry'
}
