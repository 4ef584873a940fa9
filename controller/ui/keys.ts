// The keyboard: every screen and act without a mouse.
import { signal } from '@preact/signals'
import { actKeys, openAct } from './acts.js'
import { go, place, type Tab } from './route.js'
import { applications, shown } from './store.js'

export const showKeys = signal(false)

export const keyMap: readonly (readonly [string, string])[] = [
  ['/', 'search'],
  ['j  k', 'next, previous application'],
  ['Enter', 'open'],
  ['Esc', 'close'],
  ['w', 'why'],
  ['o', 'objects'],
  ['d', 'diff'],
  ['h', 'history'],
  ['l', 'logs'],
  ['e', 'events'],
  ['s', 'sync'],
  ['r', 'roll back'],
  ['t', 'retry: try it again'],
  ['a', 'approve what waits for a word'],
  ['p', 'pause, resume'],
  ['g a', 'applications'],
  ['g n', 'nodes'],
  ['?', 'all keys'],
]

const tabKeys: Readonly<Record<string, Tab>> = { w: 'why', o: 'objects', d: 'diff', h: 'history', l: 'logs', e: 'events' }

let before = ''

export function onKey(event: KeyboardEvent): void {
  const { key } = event
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (key === 'Escape') {
    closeInnermost(event)
    return
  }
  if (event.target instanceof HTMLElement && event.target.matches('input, select, textarea')) {
    if (event.target.id === 'search' && key === 'Enter') openFirst()
    return
  }
  const chord = before === 'g' ? `g ${key}` : key
  before = key
  if (chord.startsWith('g ')) {
    if (key === 'a') go({ page: 'apps', app: '', tab: 'why' })
    if (key === 'n') go({ page: 'nodes' })
    return
  }
  if (key === '?') showKeys.value = !showKeys.value
  if (key === '/') {
    event.preventDefault()
    document.getElementById('search')?.focus()
  }
  if (key === 'j' || key === 'k') move(key === 'j' ? 1 : -1)
  const { value } = place
  if (value.page !== 'apps' || value.app === '') return
  const tab = tabKeys[key]
  if (tab !== undefined) go({ ...value, tab })
  openActOf(key, value.app)
}

function openActOf(key: string, app: string): void {
  const paused = applications.value.get(app)?.paused != null
  const act = actKeys.find(([one, act]) => one === key && act !== (paused ? 'pause' : 'resume'))?.[1]
  if (act !== undefined) openAct.value = { app, act }
}

/** From the search to what it found. */
function openFirst(): void {
  const [first] = shown.value
  if (first === undefined) return
  go({ page: 'apps', app: first.name, tab: 'why' })
  document.getElementById(`row-${first.name}`)?.focus()
}

/** The innermost thing that is open closes. */
function closeInnermost(event: KeyboardEvent): void {
  if (showKeys.value) showKeys.value = false
  else if (openAct.value !== null) openAct.value = null
  else if (event.target instanceof HTMLInputElement) event.target.blur()
  else leave()
}

/** Back to the list, at the line one came from. */
export function leave(): void {
  const app = place.value.page === 'apps' ? place.value.app : ''
  go({ page: 'apps', app: '', tab: 'why' })
  // Once it is drawn: where the page is narrow the list was not there.
  requestAnimationFrame(() => document.getElementById(`row-${app}`)?.focus())
}

function move(by: number): void {
  const names = shown.value.map(view => view.name)
  const focused = document.activeElement?.id.replace(/^row-/, '') ?? ''
  const from = names.indexOf(names.includes(focused) ? focused : place.value.page === 'apps' ? place.value.app : '')
  const name = names[Math.min(names.length - 1, Math.max(0, from + by))]
  if (name === undefined) return
  document.getElementById(`row-${name}`)?.focus()
  if (place.value.page === 'apps' && place.value.app !== '') go({ ...place.value, app: name })
}
