// The top line: search, counts by state, and whether what one sees is live.

import { showKeys } from './keys.js'
import { go, place } from './route.js'
import { connection, found, now, onlyState, search } from './store.js'
import { nextTheme, theme } from './theme.js'
import { shapeOf, stateWords } from './words.js'

export function Header() {
  return (
    <header>
      <a class="brand" href="#/apps">
        Slipway
      </a>
      <nav aria-label="Pages">
        <a href="#/apps" aria-current={place.value.page === 'apps' ? 'page' : undefined}>
          Applications
        </a>
        <a href="#/nodes" aria-current={place.value.page === 'nodes' ? 'page' : undefined}>
          Nodes
        </a>
      </nav>
      <input
        id="search"
        type="search"
        placeholder="/ search"
        aria-label="Search applications"
        value={search.value}
        onInput={event => {
          search.value = event.currentTarget.value
          if (place.value.page !== 'apps') go({ page: 'apps', app: '', tab: 'why' })
        }}
      />
      <Counts />
      <Live />
      <button
        type="button"
        class="quiet"
        aria-label={`Theme: ${theme.value}`}
        title={`Theme: ${theme.value}`}
        onClick={nextTheme}
      >
        {theme.value === 'dark' ? '☾' : theme.value === 'light' ? '☀' : '◑'}
      </button>
      <button type="button" class="quiet" aria-label="All keys" onClick={() => (showKeys.value = !showKeys.value)}>
        ?
      </button>
    </header>
  )
}

function Counts() {
  const counts = new Map<string, number>()
  for (const { state } of found.value) counts.set(state, (counts.get(state) ?? 0) + 1)
  return (
    <fieldset class="counts" aria-label="Applications by state">
      {stateWords
        .filter(state => counts.has(state))
        .map(state => {
          const { shape, word, tone } = shapeOf(state)
          const on = onlyState.value === state
          return (
            <button
              type="button"
              key={state}
              class={`count ${tone}`}
              aria-pressed={on}
              title={on ? 'Show all' : `Only ${word}`}
              onClick={() => (onlyState.value = on ? '' : state)}
            >
              <span aria-hidden="true">{shape}</span> {counts.get(state)}
              <span class="unseen"> {word}</span>
            </button>
          )
        })}
    </fieldset>
  )
}

function Live() {
  const { value } = connection
  const text =
    value.state === 'live'
      ? 'live'
      : value.state === 'connecting'
        ? 'connecting'
        : value.state === 'signed-out'
          ? 'signed out'
          : `no connection for ${Math.max(0, Math.round((now.value - value.since) / 1000))} s`
  return (
    <span class={`live live-${value.state}`} role="status">
      {text} <span aria-hidden="true">{value.state === 'live' ? '●' : '○'}</span>
    </span>
  )
}
