// Asks the API for what one tab shows: again when what it depends on changes, never two answers crossed.
import { useEffect, useState } from 'preact/hooks'
import { get } from './api.js'

export type Asked<T> =
  | { readonly state: 'asking' }
  | { readonly state: 'there'; readonly value: T }
  | { readonly state: 'failed'; readonly message: string }

/** `path`: what to get; `turn`: changes when it should be asked again (what was there stays meanwhile). */
export function useAsked<T>(path: string, turn: string): Asked<T> {
  const [asked, set] = useState<{ path: string; answer: Asked<T> }>({ path: '', answer: { state: 'asking' } })
  useEffect(() => {
    const abort = new AbortController()
    get<T>(path, abort.signal).then(
      value => set({ path, answer: { state: 'there', value } }),
      (error: Error) => abort.signal.aborted || set({ path, answer: { state: 'failed', message: error.message } }),
    )
    return () => abort.abort()
  }, [path, turn])
  return asked.path === path ? asked.answer : { state: 'asking' }
}
