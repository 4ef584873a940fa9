// What differs: what runs against the newest, or any two releases.
import { useState } from 'preact/hooks'
import type { ApplicationView, AttemptView, DiffView } from '../../view.js'
import { at, type Listed } from '../api.js'
import { useAsked } from '../asking.js'
import { Answer } from '../parts.js'
import { commitOf } from '../words.js'

export function Diff({ view }: { view: ApplicationView }) {
  const [from, setFrom] = useState('live')
  const [to, setTo] = useState('')
  const turn = `${view.since} ${view.candidate?.id} ${view.release?.id}`
  const asked = useAsked<DiffView>(`${at(view.name, 'diff')}?from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`, turn)
  const history = useAsked<Listed<AttemptView>>(`${at(view.name, 'history')}?limit=100`, turn)
  const releases = new Map(
    (history.state === 'there' ? history.value.items : []).flatMap(({ release }) =>
      release === null ? [] : [[release.number, release] as const],
    ),
  )
  const options = [...releases].map(([number, release]) => (
    <option key={number} value={number}>
      {number} {commitOf(release.commit)} {release.subject}
    </option>
  ))
  return (
    <>
      <div class="choices">
        <label>
          From{' '}
          <select value={from} onChange={event => setFrom(event.currentTarget.value)}>
            <option value="live">what runs</option>
            {options}
          </select>
        </label>
        <label>
          to{' '}
          <select value={to} onChange={event => setTo(event.currentTarget.value)}>
            <option value="">the newest</option>
            <option value="live">what runs</option>
            {options}
          </select>
        </label>
      </div>
      <Answer asked={asked}>
        {({ objects }) =>
          objects.length === 0 ? (
            <p>No difference.</p>
          ) : (
            objects.map(({ ref, change, text }) => (
              <section class="differs" key={`${ref.kind}/${ref.namespace}/${ref.name}`}>
                <h2>
                  <span class={`change-${change}`}>{change}</span> {ref.kind} {ref.namespace === '' ? '' : `${ref.namespace}/`}
                  {ref.name}
                </h2>
                <pre class="code">
                  {text
                    .replace(/\n$/, '')
                    .split('\n')
                    .map((line, at) => (
                      <span key={at} class={`line ${toneOf(line)}`}>
                        {line}
                      </span>
                    ))}
                </pre>
              </section>
            ))
          )
        }
      </Answer>
    </>
  )
}

function toneOf(line: string): string {
  return line.startsWith('+') ? 'plus' : line.startsWith('-') ? 'minus' : line.startsWith('@@') ? 'hunk' : ''
}
