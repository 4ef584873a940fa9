// The little of the REST API that demo, benchmarks and end-to-end tests need, over the context that `slipway up` wrote.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { load } from 'js-yaml'
import type { ApplicationView, AttemptView, EventView, NodeView, ObjectView } from '../../controller/view.js'

export interface Client {
  readonly server: string
  application(name: string): Promise<ApplicationView | null>
  applications(): Promise<readonly ApplicationView[]>
  history(name: string): Promise<readonly AttemptView[]>
  tree(name: string): Promise<readonly ObjectView[]>
  events(name: string): Promise<readonly EventView[]>
  nodes(): Promise<readonly NodeView[]>
  /** Any route; throws what the answer says on 4xx and 5xx. */
  call(method: string, path: string, body?: unknown): Promise<unknown>
  /** Looks every 100 ms until it is so; throws with the last state after `withinMs`. */
  until(name: string, what: string, isSo: (view: ApplicationView) => boolean, withinMs: number): Promise<ApplicationView>
}

export function clientOf(server: string, token: string): Client {
  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${server}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 400)}`)
    return text === '' ? null : (JSON.parse(text) as unknown)
  }

  async function application(name: string): Promise<ApplicationView | null> {
    try {
      return (await call('GET', `/api/v1/applications/${name}`)) as ApplicationView
    } catch (error) {
      if ((error as Error).message.includes(': 404 ')) return null
      throw error
    }
  }

  const items = async <T>(path: string) => ((await call('GET', path)) as { items: readonly T[] }).items
  return {
    server,
    call,
    application,
    applications: () => items('/api/v1/applications'),
    history: name => items(`/api/v1/applications/${name}/history`),
    tree: name => items(`/api/v1/applications/${name}/resource-tree`),
    events: name => items(`/api/v1/applications/${name}/events`),
    nodes: () => items('/api/v1/nodes'),
    async until(name, what, isSo, withinMs) {
      const deadline = Date.now() + withinMs
      for (;;) {
        const view = await application(name).catch(() => null)
        if (view !== null && isSo(view)) return view
        if (Date.now() > deadline)
          throw new Error(
            `${name}: not ${what} within ${withinMs / 1000} s; it is ${view?.state} with ${view?.candidate?.commit.slice(0, 7)}: ${view?.message}`,
          )
        await delay(100)
      }
    },
  }
}

/** From the file that `slipway up` writes: the current context's server and token. */
export function clientFromContext(file: string): Client {
  const config = load(readFileSync(file, 'utf8')) as {
    current: string
    contexts: readonly { name: string; server: string; token: string }[]
  }
  const context = config.contexts.find(one => one.name === config.current)
  if (context === undefined) throw new Error(`${file}: no context ${config.current}; run slipway up`)
  return clientOf(context.server, context.token)
}
