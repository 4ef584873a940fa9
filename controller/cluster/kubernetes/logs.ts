// Logs of containers in a cluster: followed for people, and the last lines before an end kept for the verdict.
import type { Cache } from './cache.js'
import type { ApiClient } from './client.js'
import type { SeenPod } from './pods.js'

/** The last lines before a container's newest end, for the verdict; a kubelet that has none costs nothing but them. */
export async function keepLog(
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
