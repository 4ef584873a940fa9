// The page: header, list, one application or the nodes; kept fresh by the event stream.
import { effect } from '@preact/signals'
import { render } from 'preact'
import { Detail } from './detail.js'
import { Header } from './header.js'
import { keyMap, onKey, showKeys } from './keys.js'
import { List } from './list.js'
import { Nodes } from './nodes.js'
import { CopyLine } from './parts.js'
import { place } from './route.js'
import { applications, connection, keepFresh, listed, lookAgain, lookAgainAtAging, now, tick } from './store.js'
import './style.css'
import { shapeOf } from './words.js'

function Page() {
  if (connection.value.state === 'signed-out') return <SignIn />
  const { value } = place
  const stale = listed.value && connection.value.state !== 'live'
  return (
    <>
      <Header />
      {stale && (
        <p class="stale-note" role="alert">
          {staleText()}
        </p>
      )}
      <main class={`${stale ? 'stale' : ''} ${value.page === 'apps' && value.app !== '' ? 'with-detail' : ''}`}>
        {!(value.page === 'apps' && value.app !== '') && (
          <h1 class="unseen">{value.page === 'nodes' ? 'Nodes' : 'Applications'}</h1>
        )}
        {value.page === 'nodes' ? <Nodes /> : <List />}
        {value.page === 'apps' && value.app !== '' && <Detail app={value.app} tab={value.tab} />}
      </main>
      {showKeys.value && <Keys />}
    </>
  )
}

/** Never a stale green: what is shown says how old it is. */
function staleText(): string {
  if (connection.value.state !== 'lost') return 'Connecting again…'
  const at = new Date(connection.value.since).toLocaleTimeString()
  return `No connection to the controller. What you see is as of ${at}, ${Math.max(0, Math.round((now.value - connection.value.since) / 1000))} s old. Trying again…`
}

function Keys() {
  return (
    <aside class="keys" aria-label="All keys">
      <dl>
        {keyMap.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </aside>
  )
}

function SignIn() {
  return (
    <main class="signin">
      <h1>Slipway</h1>
      {location.hash === '#/link-used' && (
        <p class="problem" role="alert">
          This login link was used already, or is too old.
        </p>
      )}
      <p>You are not signed in, or your session has ended. This prints a link that opens the page once:</p>
      <CopyLine label="terminal" text="slipway login --link" />
    </main>
  )
}

/** What needs a person is seen in the browser's row of tabs, too. */
effect(() => {
  const { value } = place
  const view = value.page === 'apps' ? applications.value.get(value.app) : undefined
  const where = value.page === 'nodes' ? 'Nodes' : view === undefined ? '' : `${shapeOf(view.state).shape} ${view.name}`
  document.title = where === '' ? 'Slipway' : `${where} · Slipway`
})

addEventListener('keydown', onKey)
setInterval(tick, 1000)
setInterval(() => void lookAgainAtAging(), 10_000)
setInterval(() => place.value.page === 'apps' && place.value.app !== '' && void lookAgain(place.value.app), 5000)
void keepFresh()
render(<Page />, document.getElementById('app')!)
