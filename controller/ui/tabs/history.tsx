// Every attempt: who, what, how it ended, and the evidence where it was judged.

import { words } from '../../steps.js'
import type { ApplicationView, AttemptView } from '../../view.js'
import { at, type Listed } from '../api.js'
import { useAsked } from '../asking.js'
import { Answer, Mark } from '../parts.js'
import { now } from '../store.js'
import { age, commitOf, took } from '../words.js'
import { Evidence } from './why.js'

export function History({ view }: { view: ApplicationView }) {
  const asked = useAsked<Listed<AttemptView>>(
    `${at(view.name, 'history')}?limit=100`,
    `${view.attempt?.number} ${view.attempt?.outcome} ${view.attempt?.step}`,
  )
  return (
    <Answer asked={asked}>
      {({ items }) =>
        items.length === 0 ? (
          <p class="dim">Nothing was tried yet.</p>
        ) : (
          <ol class="history">
            {items.map(attempt => (
              <Line key={attempt.number} attempt={attempt} />
            ))}
          </ol>
        )
      }
    </Answer>
  )
}

/** `5 objects, 2 changed. Seen 12:00:01, applied after 0.4 s, healthy after 4.1 s`. */
function wayOf({ counts, times }: AttemptView): string {
  const objects =
    counts.objects === 0
      ? ''
      : `${counts.objects} object${counts.objects === 1 ? '' : 's'}, ${counts.changed} changed${counts.pruned === 0 ? '' : `, ${counts.pruned} pruned`}. `
  const after = (what: string, at: string) => (took(times.seen, at) === '' ? [] : [`${what} after ${took(times.seen, at)}`])
  const steps = [...after('applied', times.applied), ...after('healthy', times.healthy), ...after('judged', times.judged)]
  return `${objects}Seen ${new Date(times.seen).toLocaleTimeString()}${steps.map(step => `, ${step}`).join('')}`
}

function Line({ attempt }: { attempt: AttemptView }) {
  const { release, times } = attempt
  return (
    <li>
      <div class="line">
        <span class="dim number">{attempt.number}</span>
        {attempt.outcome === null ? (
          <Mark state="Releasing" given={{ shape: '◐', tone: 'tone-Releasing', word: words(attempt.step) }} />
        ) : (
          <Mark state={attempt.outcome} />
        )}
        {release !== null && (
          <>
            <code>
              {release.number}
              {attempt.wentBackTo ? ` ↩ ${attempt.wentBackTo}` : ''}
            </code>{' '}
            <code>{commitOf(release.commit)}</code> <span class="subject">{release.subject}</span>
          </>
        )}
        <span class="dim end">
          {attempt.cause} by {attempt.by}, {age(times.ended || times.seen, now.value)} ago
          {times.ended === '' ? '' : `, took ${took(times.seen, times.ended)}`}
        </span>
      </div>
      {attempt.message !== '' && attempt.message !== attempt.outcome?.toLowerCase() && <p>{attempt.message}</p>}
      <p class="dim">{wayOf(attempt)}</p>
      {attempt.verdict !== null && (
        <details>
          <summary>Evidence</summary>
          <Evidence verdict={attempt.verdict} />
        </details>
      )}
    </li>
  )
}
