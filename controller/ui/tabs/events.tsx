// What happened to it, newest first, and what happens while one looks.
import type { ApplicationView, EventView } from '../../view.js'
import { at, type Listed } from '../api.js'
import { useAsked } from '../asking.js'
import { Answer } from '../parts.js'
import { happened, now } from '../store.js'
import { age } from '../words.js'

export function Events({ view }: { view: ApplicationView }) {
  const asked = useAsked<Listed<EventView>>(`${at(view.name, 'events')}?limit=200`, '')
  return (
    <Answer asked={asked}>
      {({ items }) => {
        const known = new Set(items.map(event => event.id))
        const fresh = happened.value.filter(event => event.application === view.name && !known.has(event.id)).reverse()
        const all = [...fresh, ...items]
        if (all.length === 0) return <p class="dim">Nothing happened yet.</p>
        return (
          <ul class="events">
            {all.map(event => (
              <li key={event.id}>
                <time class="dim" dateTime={event.at} title={event.at}>
                  {age(event.at, now.value)} ago
                </time>{' '}
                <b>{event.what}</b> <span>{event.message}</span>
              </li>
            ))}
          </ul>
        )
      }}
    </Answer>
  )
}
