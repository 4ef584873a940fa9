// What one can do with an application: each act shows the line for the terminal and for curl before it is done.
import { signal } from '@preact/signals'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { ApplicationView, AttemptView } from '../view.js'
import { at, type Listed, post } from './api.js'
import { useAsked } from './asking.js'
import { CopyLine } from './parts.js'
import { commitOf } from './words.js'

export type Act = 'sync' | 'rollback' | 'retry' | 'approve' | 'pause' | 'resume'

/** Which act's form is open; keys open it too. */
export const openAct = signal<{ readonly app: string; readonly act: Act } | null>(null)
/** Read aloud and shown until the next one. */
export const said = signal({ app: '', text: '', failed: false })

const labels: Readonly<Record<Act, string>> = {
  sync: 'Sync',
  rollback: 'Roll back',
  retry: 'Retry',
  approve: 'Approve',
  pause: 'Pause',
  resume: 'Resume',
}
export const actKeys: readonly (readonly [string, Act])[] = [
  ['s', 'sync'],
  ['r', 'rollback'],
  ['t', 'retry'],
  ['a', 'approve'],
  ['p', 'pause'],
  ['p', 'resume'],
]
const explained: Readonly<Record<Act, string>> = {
  sync: 'Looks at Git now, and releases what is there.',
  rollback: 'Goes back to an earlier release, and stays there until something newer than today comes.',
  retry: 'Lifts the mark of the bad release and tries it again, with fresh pods.',
  approve: 'What is not deleted without a word (Prune=confirm, Delete=confirm) may go now.',
  pause: 'Touches nothing until resumed: neither releases nor heals nor rolls back.',
  resume: 'Goes on.',
}

export function Acts({ view }: { view: ApplicationView }) {
  // A form that was opened for one application is never sent for another.
  const open = openAct.value?.app === view.name ? openAct.value.act : null
  const toggle = (act: Act) => {
    openAct.value = open === act ? null : { app: view.name, act }
  }
  const bad = ['RolledBack', 'Failed', 'Degraded', 'Held'].includes(view.state)
  const acts: readonly Act[] = [
    ...(view.asks === null ? [] : (['approve'] as const)),
    ...(view.paused === null ? [] : (['resume'] as const)),
    ...(bad ? (['retry'] as const) : []),
    'sync',
    'rollback',
    ...(view.paused === null ? (['pause'] as const) : []),
  ]
  return (
    <div class="acts">
      <div class="buttons">
        {acts.map(act => (
          <button
            type="button"
            key={act}
            id={`act-${act}`}
            aria-expanded={open === act}
            title={`${labels[act]} (${actKeys.find(([, one]) => one === act)?.[0]})`}
            class={act === acts[0] ? 'first' : ''}
            onClick={() => toggle(act)}
          >
            {labels[act]}
          </button>
        ))}
        <span class={`said ${said.value.failed ? 'problem' : ''}`} role="status">
          {said.value.app === view.name ? said.value.text : ''}
        </span>
      </div>
      {open !== null && acts.includes(open) && <Form key={open} act={open} view={view} />}
    </div>
  )
}

function Form({ act, view }: { act: Act; view: ApplicationView }) {
  const [to, setTo] = useState('')
  const [why, setWhy] = useState('')
  const [busy, setBusy] = useState(false)
  const body = filled(act === 'rollback' ? { to, message: why } : act === 'pause' ? { reason: why } : {})
  const form = useRef<HTMLFormElement>(null)
  // Whoever opened it goes on from here, and is back at its button when it closes.
  useLayoutEffect(() => {
    form.current?.querySelector<HTMLElement>('select, input, button[type=submit]')?.focus()
    return () => document.getElementById(`act-${act}`)?.focus()
  }, [act])
  const run = async (event: Event) => {
    event.preventDefault()
    setBusy(true)
    try {
      const answer = await post<{ readonly message?: string }>(at(view.name, act), body)
      said.value = { app: view.name, text: answer.message ?? `${labels[act]}: asked for.`, failed: false }
      openAct.value = null
    } catch (error) {
      said.value = { app: view.name, text: (error as Error).message, failed: true }
      setBusy(false)
    }
  }
  return (
    <form class="act" onSubmit={run} ref={form}>
      <p>{explained[act]}</p>
      {act === 'approve' && <Asked view={view} />}
      {act === 'rollback' && <Earlier view={view} to={to} choose={setTo} />}
      {(act === 'rollback' || act === 'pause') && (
        <label>
          Why{' '}
          <input
            value={why}
            maxLength={500}
            onInput={event => setWhy(event.currentTarget.value)}
            placeholder="kept in the history"
          />
        </label>
      )}
      <CopyLine label="terminal" text={cliLine(act, view.name, to, why)} />
      <CopyLine label="curl" text={curlLine(act, view.name, body)} />
      <div class="buttons">
        <button type="submit" class="first" disabled={busy}>
          {labels[act]} {view.name}
        </button>
        <button type="button" onClick={() => (openAct.value = null)}>
          Leave it
        </button>
      </div>
    </form>
  )
}

/** What would go. */
function Asked({ view }: { view: ApplicationView }) {
  return (
    <ul>
      {(view.asks?.objects ?? []).map(({ kind, namespace, name }) => (
        <li key={`${kind}/${namespace}/${name}`}>
          {kind} {namespace}/{name}
        </li>
      ))}
    </ul>
  )
}

/** Releases that were healthy once, newest first. */
function Earlier({ view, to, choose }: { view: ApplicationView; to: string; choose: (to: string) => void }) {
  const asked = useAsked<Listed<AttemptView>>(`${at(view.name, 'history')}?limit=100`, String(view.attempt?.number))
  const releases = new Map<string, AttemptView>()
  for (const attempt of asked.state === 'there' ? asked.value.items : []) {
    const { release } = attempt
    if (attempt.outcome === 'Healthy' && release !== null && release.id !== view.release?.id && !releases.has(release.number))
      releases.set(release.number, attempt)
  }
  return (
    <label>
      To{' '}
      <select value={to} onChange={event => choose(event.currentTarget.value)}>
        <option value="">the last good one before</option>
        {[...releases].map(([number, { release }]) => (
          <option key={number} value={number}>
            {number} {commitOf(release?.commit)} {release?.subject}
          </option>
        ))}
      </select>
    </label>
  )
}

function cliLine(act: Act, name: string, to: string, why: string): string {
  const said = why === '' ? '' : ` -m ${quoted(why)}`
  return `slipway ${act} ${name}${act === 'rollback' && to !== '' ? ` ${to}` : ''}${said}`
}

function curlLine(act: Act, name: string, body: object): string {
  const address = new URL(at(name, act), location.href).href
  const data = Object.keys(body).length === 0 ? '' : ` -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`
  return `curl -X POST -H "Authorization: Bearer $SLIPWAY_TOKEN"${data} ${address}`
}

/** What was left empty is not sent. */
function filled(body: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== ''))
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
