// One kind, listed in pages and then watched: what is told is always whole again after a break. A watch that is silent for too long is
// ended by us; one that is too old is listed again; both after a wait that grows and is jittered.
import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiClient, ApiError, type Sent, UnreachableError } from './client.js'

export interface Listener<T> {
  /** Everything there is, after a list. */
  listed(objects: readonly T[]): void
  changed(object: T): void
  removed(object: T): void
  /** It does not work (any more); '' once it does again. */
  trouble(message: string): void
}

export interface WatchOptions<T> {
  readonly client: ApiClient
  /** Of the list: `/apis/apps/v1/deployments`. */
  readonly path: string
  /** What of an object is kept, while other pages are still fetched; null: nothing. */
  readonly project: (object: Sent) => T | null
  readonly listener: Listener<T>
  readonly random?: () => number
  /** Objects a page. */
  readonly page?: number
  /** A watch that says nothing for so long, ms, is not relied on; servers send a bookmark about every minute. Asked again and again. */
  readonly silentMs?: () => number
  /** Aborted, a wait is over: the server answers again. Asked for at each wait. */
  readonly hurry?: () => AbortSignal
}

const firstWaitMs = 200
const longestWaitMs = 30_000
/** A watch that was open for so long was one, although nothing was said. */
const lastingMs = 5_000

/** Runs until the signal says so. */
export async function watchKind<T>(options: WatchOptions<T>, signal: AbortSignal): Promise<void> {
  const random = options.random ?? Math.random
  let wait = firstWaitMs
  let from = ''
  const rest = async () => {
    const until = options.hurry === undefined ? signal : AbortSignal.any([signal, options.hurry()])
    await sleep(wait * (0.5 + random()), undefined, { signal: until }).catch(() => {})
    wait = Math.min(longestWaitMs, wait * 2)
  }
  while (!signal.aborted) {
    try {
      if (from === '') from = await list(options, signal)
      const followed = await follow(options, from, signal)
      from = followed.version
      // A server that ends each watch at once is not asked again at once.
      if (followed.lasted) wait = firstWaitMs
      else await rest()
    } catch (error) {
      if (signal.aborted) return
      // What was missed is in no watch any more: 410, or any other word that is not a watch.
      if (error instanceof ApiError) from = ''
      // Its definition was removed, and its objects with it.
      if (isAway(error)) options.listener.listed([])
      else if (!isOld(error)) options.listener.trouble((error as Error).message)
      await rest()
    }
  }
}

function isAway(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404
}

function isOld(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired')
}

/** Gives the version to watch from. */
async function list<T>({ client, path, project, listener, page = 500 }: WatchOptions<T>, signal: AbortSignal): Promise<string> {
  const objects: T[] = []
  let [more, version] = ['', '']
  do {
    const query = { limit: String(page), ...(more === '' ? {} : { continue: more }) }
    const answer = await client.call('GET', path, { query }, signal)
    const { continue: next = '', resourceVersion = '' } = (answer.metadata ?? {}) as Record<string, string>
    objects.push(...((answer.items ?? []) as Sent[]).flatMap(item => project(withKind(item, answer)) ?? []))
    ;[more, version] = [next, resourceVersion]
  } while (more !== '')
  listener.listed(objects)
  return version
}

/** The items of a list do not say what they are. */
function withKind(item: Sent, list: Sent): Sent {
  return { apiVersion: list.apiVersion, kind: String(list.kind ?? '').replace(/List$/, ''), ...item }
}

/** The version up to which it was followed, and whether anything came of it: servers end watches by themselves, which is no trouble. */
async function follow<T>(
  options: WatchOptions<T>,
  from: string,
  signal: AbortSignal,
): Promise<{ readonly version: string; readonly lasted: boolean }> {
  const { client, path, silentMs = () => 90_000 } = options
  const ending = new AbortController()
  const end = () => ending.abort(signal.reason)
  signal.addEventListener('abort', end, { once: true })
  const began = performance.now()
  let [version, heard, heardAt] = [from, false, began]
  const bark = () => {
    const silent = performance.now() - heardAt
    if (silent >= silentMs()) ending.abort(new Error(`the watch of ${path} was silent for ${Math.round(silent)} ms`))
  }
  const dog = setInterval(bark, Math.min(5_000, silentMs() / 4))
  dog.unref()
  try {
    const query = { watch: '1', allowWatchBookmarks: 'true', resourceVersion: from, timeoutSeconds: '300' }
    const body = await client.open(path, query, ending.signal)
    options.listener.trouble('')
    for await (const line of linesOf(body)) {
      heardAt = performance.now()
      heard = true
      version = told(JSON.parse(line) as WatchEvent, options) || version
    }
  } catch (error) {
    // Cut off, or silent: on from where it was, without a new list.
    if (signal.aborted || error instanceof ApiError || error instanceof UnreachableError) throw error
  } finally {
    clearInterval(dog)
    signal.removeEventListener('abort', end)
    ending.abort()
  }
  return { version, lasted: heard || performance.now() - began >= lastingMs }
}

interface WatchEvent {
  readonly type: string
  readonly object: Sent & { readonly metadata?: { readonly resourceVersion?: string }; readonly code?: number }
}

function told<T>({ type, object }: WatchEvent, { project, listener }: WatchOptions<T>): string {
  if (type === 'ERROR') throw new ApiError(object.code ?? 500, object, 'watch')
  const kept = type === 'BOOKMARK' ? null : project(object)
  if (kept !== null) listener[type === 'DELETED' ? 'removed' : 'changed'](kept)
  return object.metadata?.resourceVersion ?? ''
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncIterable<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield line
  }
}
