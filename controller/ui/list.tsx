// Every application in a line: shape, name, sentence, age. Those that need a person come first.
import { useState } from 'preact/hooks'
import type { ApplicationView } from '../view.js'
import { CopyLine, Mark } from './parts.js'
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
    <div class="list" role="listbox" aria-label="Applications">
      {views.slice(0, most).map(view => (
        <button
          type="button"
          role="option"
          key={view.name}
          id={`row-${view.name}`}
          class="row"
          aria-selected={view.name === selected}
          onClick={() => go({ page: 'apps', app: view.name, tab: 'why' })}
        >
          <Mark state={view.state} word={false} />
          <span class="name">{view.name}</span>
          <span class="said">
            <b>{shapeOf(view.state).word}</b>: {view.short || running(view)}
          </span>
          <span class="where">{view.place}</span>
          <time dateTime={view.since}>{age(view.since, now.value)}</time>
        </button>
      ))}
      {views.length > most && (
        <button type="button" class="quiet more" onClick={() => setMost(most + step)}>
          {views.length - most} more
        </button>
      )}
    </div>
  )
}

/** What a quiet line says: the commit and its subject. */
function running({ release }: ApplicationView): string {
  return release === null ? 'nothing yet' : `${commitOf(release.commit)} ${release.subject}`
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
