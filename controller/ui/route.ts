// Where one is: in the address behind #, so that a reload and a shared link show the same.
import { computed, signal } from '@preact/signals'

export const tabs = ['why', 'objects', 'diff', 'history', 'logs', 'events'] as const
export type Tab = (typeof tabs)[number]

export type Place = { readonly page: 'apps'; readonly app: string; readonly tab: Tab } | { readonly page: 'nodes' }

const address = signal(location.hash)
addEventListener('hashchange', () => {
  address.value = location.hash
})

/** `#/nodes`, `#/apps`, `#/apps/shop/history`. */
export const place = computed((): Place => {
  const [, page = '', app = '', tab = ''] = address.value.split('/')
  if (page === 'nodes') return { page: 'nodes' }
  return { page: 'apps', app: decoded(app), tab: (tabs as readonly string[]).includes(tab) ? (tab as Tab) : 'why' }
})

export function go(to: Place): void {
  // At once, not when the browser gets round to saying so: the next key already means the new place.
  address.value = to.page === 'nodes' ? '#/nodes' : to.app === '' ? '#/apps' : `#/apps/${encodeURIComponent(to.app)}/${to.tab}`
  location.hash = address.value
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
