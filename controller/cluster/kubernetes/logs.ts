// Logs of containers in a cluster: followed for people, and the last lines before an end kept for the verdict.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cache } from './cache.js'
import type { ApiClient } from './client.js'
import type { SeenPod } from './pods.js'

/** A kubelet that does not answer is waited for no longer, ms. */
const PATIENCE_MS = 1_000

/** Keeps the last lines before each end. `settled`: those asked for of these pods are there, so that a verdict can quote them. */
export function createLogKeeper(client: ApiClient, cache: () => Cache, signal: AbortSignal) {
  const asked = new Map<string, Promise<void>>()
  return {
    keep(pod: SeenPod, container: string): void {
      const all = Promise.all([asked.get(pod.uid), keepLog(client, cache(), pod, container, signal)]).then(() => {
        if (asked.get(pod.uid) === all) asked.delete(pod.uid)
      })
      asked.set(pod.uid, all)
    },
    async settled(uids: () => readonly string[]): Promise<void> {
      const open = asked.size === 0 ? [] : uids().flatMap(uid => asked.get(uid) ?? [])
      if (open.length > 0) await Promise.race([Promise.all(open), sleep(PATIENCE_MS, undefined, { ref: false })])
    },
  }
}

/** The last lines before a container's newest end, for the verdict; a kubelet that has none costs nothing but them. */
async function keepLog(
  client: ApiClient,
  cache: Cache,
  { namespace, name, uid }: SeenPod,
  container: string,
  signal: AbortSignal,
): Promise<void> {
  for (const previous of [true, false]) {
    try {
      const wish = { tail: 20, follow: false, previous }
      const lines: string[] = []
      for await (const line of logLines(
        client,
        namespace,
        name,
        container,
        wish,
        AbortSignal.any([signal, AbortSignal.timeout(5_000)]),
      ))
        if (line.at !== '') lines.push(line.text)
      if (lines.length > 0) return cache.noteLog(uid, container, lines.slice(-20))
    } catch {
      // not started again yet, or its kubelet does not answer: the next end asks again
    }
  }
}

export async function* logLines(
  client: ApiClient,
  namespace: string,
  pod: string,
  container: string,
  wish: { readonly tail: number; readonly follow: boolean; readonly previous: boolean },
  signal: AbortSignal,
): AsyncIterable<{ readonly at: string; readonly stream: string; readonly text: string }> {
  const query = {
    ...(container === '' ? {} : { container }),
    tailLines: String(wish.tail),
    timestamps: 'true',
    ...(wish.follow ? { follow: 'true' } : {}),
    ...(wish.previous ? { previous: 'true' } : {}),
  }
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of await client.open(path, query, signal)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield logLine(line)
  }
  if (rest !== '') yield logLine(rest)
}

/** What has no time is the kubelet's own word: `unable to retrieve container logs for ...` of a container that it has removed. */
function logLine(line: string) {
  const [, at = '', text = line] = /^(\d{4}-\d\d-\d\dT\S+Z|\d{4}-\d\d-\d\dT\S+[+-]\d\d:\d\d) (.*)$/s.exec(line) ?? []
  return { at, stream: 'stdout', text }
}
