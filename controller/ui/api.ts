// Speaks to the API beside the page: JSON, event streams, log lines; by the session's cookie. Addresses are relative, so any path will do.

/** An answer that is no success; `message` says what to do. */
export class ApiError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface Listed<T> {
  readonly items: readonly T[]
  readonly total: number
  readonly continue: string
}

/** What the server's clock is ahead of ours, ms: ages hold whatever this machine's clock says. */
export let clockAheadMs = 0

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await open(path, signal === undefined ? {} : { signal })).json()) as T
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID?.() ?? String(Math.random()) }
  return (await (await open(path, { method: 'POST', body: JSON.stringify(body), headers })).json()) as T
}

export async function listAll<T>(path: string): Promise<readonly T[]> {
  const items: T[] = []
  let page: Listed<T>
  let next = ''
  do {
    page = await get<Listed<T>>(`${path}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`)
    items.push(...page.items)
    next = page.continue
  } while (next !== '')
  return items
}

/** Lines of a streamed answer, until it ends. `heard` is called with every piece, heartbeats too. */
export async function* lines(
  path: string,
  headers: Record<string, string>,
  signal: AbortSignal,
  heard: () => void = () => {},
): AsyncGenerator<string> {
  const answer = await open(path, { headers, signal })
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    heard()
    const parts = (rest + value).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
  if (rest !== '') yield rest
}

async function open(path: string, init: RequestInit): Promise<Response> {
  const answer = await asked(path, { credentials: 'same-origin', ...init })
  const date = Date.parse(answer.headers.get('date') ?? '')
  if (!Number.isNaN(date)) clockAheadMs = Math.ceil((date - Date.now()) / 1000) * 1000
  if (answer.ok) return answer
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string }
  throw new ApiError(answer.status, problem.detail ?? `The controller answered ${answer.status}.`)
}

/** Browsers cut requests when a network of the machine comes or goes: what only reads is asked once more. */
async function asked(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init)
  } catch (error) {
    if ((init.method ?? 'GET') !== 'GET' || init.signal?.aborted) throw error
    await new Promise(resolve => setTimeout(resolve, 500))
    return fetch(path, init)
  }
}

/** `api/v1/applications/<name>/<what>`. */
export function at(name: string, what = ''): string {
  return `api/v1/applications/${encodeURIComponent(name)}${what === '' ? '' : `/${what}`}`
}
