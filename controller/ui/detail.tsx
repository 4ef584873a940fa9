// One application: its sentence, its steps, its tabs, and what one can do.

import { stepsOf } from '../steps.js'
import type { ApplicationView, AttemptView } from '../view.js'
import { Acts } from './acts.js'
import { leave } from './keys.js'
import { Mark } from './parts.js'
import { go, place, type Tab, tabs } from './route.js'
import { applications, listed, now } from './store.js'
import { Diff } from './tabs/diff.js'
import { Events } from './tabs/events.js'
import { History } from './tabs/history.js'
import { Logs } from './tabs/logs.js'
import { Objects } from './tabs/objects.js'
import { Why } from './tabs/why.js'
import { age, commitOf, exactly, took } from './words.js'

const shown: Readonly<Record<Tab, (props: { view: ApplicationView }) => preact.JSX.Element>> = {
  why: Why,
  objects: Objects,
  diff: Diff,
  history: History,
  logs: Logs,
  events: Events,
}

export function Detail({ app, tab }: { app: string; tab: Tab }) {
  const view = applications.value.get(app)
  if (view === undefined)
    return listed.value ? (
      <section class="detail">
        <p class="empty">
          There is no application <b>{app}</b> any more.
        </p>
      </section>
    ) : null
  const Shown = shown[tab]
  return (
    <section class="detail" aria-label={view.name}>
      <div class="title">
        <h1>{view.name}</h1>
        <Mark state={view.state} />
        {view.since !== '' && (
          <time class="dim" dateTime={view.since} title={exactly(view.since)}>
            for {age(view.since, now.value)}
          </time>
        )}
        <button type="button" class="quiet close" aria-label="Close" onClick={leave}>
          ✕
        </button>
      </div>
      <p class="sentence">{view.message}</p>
      {view.stale !== null && !view.message.includes(view.stale.message) && (
        <p class="problem">
          {view.source.chart === '' ? 'Git' : 'The chart repository'} was last read {age(view.stale.since, now.value)} ago:{' '}
          {view.stale.message}
        </p>
      )}
      <Facts view={view} />
      {view.attempt !== null && <Steps attempt={view.attempt} />}
      <Acts key={view.name} view={view} />
      <div class="tabs" role="tablist" aria-label="What to see of it" onKeyDown={event => along(event, tab)}>
        {tabs.map(one => (
          <button
            type="button"
            key={one}
            id={`tab-${one}`}
            role="tab"
            aria-selected={one === tab}
            aria-controls="panel"
            tabIndex={one === tab ? 0 : -1}
            onClick={() => go({ page: 'apps', app, tab: one })}
          >
            {one[0]?.toUpperCase()}
            {one.slice(1)}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="panel" aria-labelledby={`tab-${tab}`} class="panel">
        <Shown key={`${app} ${tab}`} view={view} />
      </div>
    </section>
  )
}

/** Arrows go along the tabs, as they do in every row of tabs. */
function along(event: KeyboardEvent, tab: Tab): void {
  const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
  const next = tabs[tabs.indexOf(tab) + by]
  if (by === 0 || next === undefined || place.value.page !== 'apps') return
  go({ ...place.value, tab: next })
  document.getElementById(`tab-${next}`)?.focus()
}

function Facts({ view }: { view: ApplicationView }) {
  const { release, candidate, source } = view
  return (
    <dl class="facts">
      <div>
        <dt>{view.state === 'Releasing' && release?.id === candidate?.id ? 'trying' : 'runs'}</dt>
        <dd>
          {release === null ? (
            'nothing yet'
          ) : (
            <>
              <code>{release.number}</code> <code>{commitOf(release.commit)}</code> {release.subject}
            </>
          )}
        </dd>
      </div>
      {candidate !== null && candidate.id !== release?.id && (
        <div>
          <dt>newest</dt>
          <dd>
            <code>{candidate.number}</code> <code>{commitOf(candidate.commit)}</code> {candidate.subject}{' '}
            <span class="dim">{candidate.author}</span>
          </dd>
        </div>
      )}
      <div>
        <dt>where</dt>
        <dd>
          {view.place}, namespace {view.namespace}
        </dd>
      </div>
      <div>
        <dt>from</dt>
        <dd>
          <code>{source.repoURL}</code>{' '}
          {(source.chart !== '' || source.path !== '.') && <code>{source.chart || source.path}</code>} at{' '}
          <code>{source.targetRevision}</code>
        </dd>
      </div>
      {view.pinned !== null && (
        <div>
          <dt>pinned</dt>
          <dd>
            to {view.pinned.to} by {view.pinned.by}, {age(view.pinned.at, now.value)} ago
          </dd>
        </div>
      )}
      {view.paused !== null && (
        <div>
          <dt>paused</dt>
          <dd>
            by {view.paused.by}, {age(view.paused.at, now.value)} ago{view.paused.reason === '' ? '' : `: ${view.paused.reason}`}
          </dd>
        </div>
      )}
      {view.warnings.map(warning => (
        <div key={warning}>
          <dt>warning</dt>
          <dd>{warning}</dd>
        </div>
      ))}
      {view.requests.map(request => (
        <div key={request.id}>
          <dt>asked</dt>
          <dd>
            {request.kind} by {request.by}, {age(request.at, now.value)} ago; not begun yet
          </dd>
        </div>
      ))}
    </dl>
  )
}

/** The way of the attempt: what is behind it, where it is, how it ended. */
function Steps({ attempt }: { attempt: AttemptView }) {
  const going = attempt.outcome === null
  const steps = stepsOf(attempt)
  return (
    <ol class="steps" aria-label={`Steps of attempt ${attempt.number}`}>
      {steps.map((step, at) => {
        const moving = going && at === steps.length - 1
        return (
          <li
            key={`${step.at} ${step.label}`}
            class={moving ? 'moving' : step.broke ? 'failed' : 'done'}
            title={[took(step.at, step.until), step.message].filter(text => text !== '').join(': ')}
          >
            {step.label}{' '}
            <span class="shape" aria-hidden="true">
              {moving ? '◐' : step.broke ? '✖' : '✔'}
            </span>
            <span class="unseen">{moving ? 'under way' : step.broke ? 'failed' : 'done'}</span>
            {moving && <span class="took"> {age(step.at, now.value)}</span>}
          </li>
        )
      })}
      {!going && (
        <li class="outcome">
          <Mark state={attempt.outcome ?? ''} />
        </li>
      )}
    </ol>
  )
}
