// What the page knows: applications and nodes by name, and how fresh that is. Listed once, then kept by the event stream.
import { computed, signal } from '@preact/signals'
import type { ApplicationView, EventView, NodeView } from '../view.js'
import { ApiError, at, clockAheadMs, get, type Listed, lines, listAll } from './api.js'
import { attention } from './words.js'

export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** Since when, by the server's clock. */
  | { readonly state: 'lost'; readonly since: number }
  | { readonly state: 'signed-out' }

export const applications = signal<ReadonlyMap<string, ApplicationView>>(new Map())
export const nodes = signal<readonly NodeView[]>([])
/** The newest last; what came since the page was opened. */
export const happened = signal<readonly EventView[]>([])
export const connection = signal<Connection>({ state: 'connecting' })
export const listed = signal(false)
/** Server time, ms; moves once a second. */
export const now = signal(Date.now())
export const search = signal('')
export const onlyState = signal('')

export const found = computed(() => {
  const words = search.value
    .toLowerCase()
    .split(/\s+/)
    .filter(word => word !== '')
  return [...applications.value.values()].filter(view => {
    const text =
      `${view.name} ${view.place} ${view.project} ${view.state} ${view.message} ${view.release?.commit ?? ''} ${view.candidate?.commit ?? ''}`.toLowerCase()
    return words.every(word => text.includes(word))
  })
})

export const shown = computed(() => {
  const wanted = onlyState.value
  const views = found.value.filter(view => wanted === '' || view.state === wanted)
  return views.sort(
    (a, b) => attention(a.state) - attention(b.state) || b.since.localeCompare(a.since) || a.name.localeCompare(b.name),
  )
})

/** Heartbeats come every 15 s: after so long the connection is dead, whatever the network says. */
const silentMs = 40_000

/** Runs for as long as the page is open. */
export async function keepFresh(): Promise<never> {
  let lastId = ''
  for (;;) {
    try {
      lastId = await follow(lastId)
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) connection.value = { state: 'signed-out' }
    }
    if (connection.value.state === 'live' || connection.value.state === 'connecting')
      connection.value = { state: 'lost', since: Date.now() + clockAheadMs }
    await new Promise(resolve => setTimeout(resolve, 2000))
  }
}

/** One connection's life; returns the last id when the server ends it. */
async function follow(from: string): Promise<string> {
  const abort = new AbortController()
  let heardAt = Date.now()
  const watchdog = setInterval(() => Date.now() - heardAt > silentMs && abort.abort(new Error('silent')), 5000)
  let [lastId, id, event] = [from, from, '']
  try {
    const headers: Record<string, string> = from === '' ? {} : { 'last-event-id': from }
    const stream = lines('api/v1/stream', headers, abort.signal, () => {
      heardAt = Date.now()
      // A resumed stream begins with what was missed, or with nothing: any sound of it means live.
      if (from !== '' && listed.value) connection.value = { state: 'live' }
    })
    for await (const line of stream) {
      if (line.startsWith('id: ')) id = line.slice(4)
      if (line.startsWith('event: ')) event = line.slice(7)
      if (!line.startsWith('data: ')) continue
      await take(event, JSON.parse(line.slice(6)))
      lastId = id
    }
  } catch (error) {
    if (!(error instanceof ApiError)) return lastId
    throw error
  } finally {
    clearInterval(watchdog)
  }
  return lastId
}

async function take(event: string, data: unknown): Promise<void> {
  if (event === 'hello' || event === 'resync') await listAgain()
  if (event === 'application') put(data as ApplicationView)
  if (event === 'removed') drop((data as { name: string }).name)
  if (event === 'node')
    nodes.value = [...nodes.value.filter(node => node.name !== (data as NodeView).name), data as NodeView].sort((a, b) =>
      a.name.localeCompare(b.name),
    )
  if (event === 'event') happened.value = [...happened.value.slice(-499), data as EventView]
}

async function listAgain(): Promise<void> {
  const [views, machines] = await Promise.all([
    listAll<ApplicationView>('api/v1/applications?limit=1000'),
    get<Listed<NodeView>>('api/v1/nodes'),
  ])
  applications.value = new Map(views.map(view => [view.name, view]))
  nodes.value = machines.items
  listed.value = true
  connection.value = { state: 'live' }
  now.value = Date.now() + clockAheadMs
}

function put(view: ApplicationView): void {
  applications.value = new Map(applications.value).set(view.name, view)
}

/** Sentences carry ages: those of the application that is looked at are asked for again now and then. */
export async function lookAgain(name: string): Promise<void> {
  if (connection.value.state !== 'live' || document.hidden || !applications.value.has(name)) return
  const view = await get<ApplicationView>(at(name)).catch(() => null)
  if (view !== null && applications.value.has(name)) put(view)
}

/** In the list they carry ages too, where something waits or is silent. */
export async function lookAgainAtAging(): Promise<void> {
  const aging = [...applications.value.values()].filter(({ short }) => / ago\b|\bfor \d+ (s|min|h|d)\b/.test(short))
  await Promise.all(aging.slice(0, 20).map(({ name }) => lookAgain(name)))
}

function drop(name: string): void {
  const rest = new Map(applications.value)
  rest.delete(name)
  applications.value = rest
}

/** Ages are counted on while the page is seen. */
export function tick(): void {
  if (!document.hidden) now.value = Date.now() + clockAheadMs
}
