// Every application in a line: shape, name, sentence, age. Those that need a person come first.
import { useState } from 'preact/hooks'
import type { ApplicationView } from '../view.js'
import { CopyLine } from './parts.js'
import { go, place } from './route.js'
import { applications, listed, now, onlyState, search, shown } from './store.js'
import { age, commitOf, shapeOf } from './words.js'

/** More are shown on demand: a page of thousands stays quick. */
const step = 200

export function List() {
  const [most, setMost] = useState(step)
  if (!listed.value) return <p class="empty dim">Asking the controller…</p>
  if (applications.value.size === 0) return <First />
  const views = shown.value
  if (views.length === 0)
    return (
      <p class="empty">
        No application fits <b>{search.value || shapeOf(onlyState.value).word}</b>.
      </p>
    )
  const selected = place.value.page === 'apps' ? place.value.app : ''
  return (
    <nav class="list" aria-label="Applications">
      {views.slice(0, most).map(view => (
        <Row key={view.name} view={view} selected={view.name === selected} />
      ))}
      {views.length > most && (
        <button type="button" class="quiet more" onClick={() => setMost(most + step)}>
          {views.length - most} more
        </button>
      )}
    </nav>
  )
}

function Row({ view, selected }: { view: ApplicationView; selected: boolean }) {
  return (
    <button
      type="button"
      id={`row-${view.name}`}
      class="row"
      aria-current={selected ? 'true' : undefined}
      onClick={() => go({ page: 'apps', app: view.name, tab: 'why' })}
    >
      <span class={`shape ${shapeOf(view.state).tone}`} aria-hidden="true">
        {shapeOf(view.state).shape}
      </span>
      <span class="name">{view.name}</span>
      <span class="said" title={view.message}>
        <b>{shapeOf(view.state).word}</b>: {saidOf(view)}
      </span>
      <span class="where">{view.place}</span>
      <time dateTime={view.since}>{age(view.since, now.value)}</time>
    </button>
  )
}

/** A quiet line says what runs; any other what is the matter. */
function saidOf({ state, short, release }: ApplicationView): string {
  if (state !== 'Healthy' || release === null) return short || 'nothing runs yet'
  const runs = `${commitOf(release.commit)} ${release.subject}`
  return short === '' ? runs : `${short}, ${runs}`
}

function First() {
  return (
    <section class="empty">
      <h1>No applications yet</h1>
      <p>
        An application is a path in a Git repository and the place where it runs. Write this into application.yaml, then these
        three lines make the first one:
      </p>
      <pre class="code">{example}</pre>
      <CopyLine label="1" text="git add deploy && git commit -m 'Deploy me' && git push" />
      <CopyLine label="2" text="slipway apply -f application.yaml" />
      <CopyLine label="3" text="slipway wait hello" />
    </section>
  )
}

const example = `apiVersion: slipway.dev/v1alpha1
kind: Application
metadata:
  name: hello
spec:
  source: { repoURL: https://your.git/hello.git, path: deploy, targetRevision: main }
  destination: { name: lab, namespace: hello }`
