// The page: header, list, one application or the nodes; kept fresh by the event stream.
import { render } from 'preact'
import { Detail } from './detail.js'
import { Header } from './header.js'
import { keyMap, onKey, showKeys } from './keys.js'
import { List } from './list.js'
import { Nodes } from './nodes.js'
import { CopyLine } from './parts.js'
import { place } from './route.js'
import { connection, keepFresh, listed, now, tick } from './store.js'
import './style.css'

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
      <p>You are not signed in, or your session has ended. This prints a link that opens the page once:</p>
      <CopyLine label="terminal" text="slipway login --link" />
    </main>
  )
}

addEventListener('keydown', onKey)
setInterval(tick, 1000)
void keepFresh()
render(<Page />, document.getElementById('app')!)
