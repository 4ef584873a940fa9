// Why it is as it is: what happened, the evidence, what it likely is, what happens next, what one can do.
import type { ApplicationView, VerdictView } from '../../view.js'
import { CopyLine } from '../parts.js'
import { commitOf } from '../words.js'

export function Why({ view }: { view: ApplicationView }) {
  const { why } = view
  const { attempt } = why
  return (
    <div class="why">
      <p>
        <b>{why.headline}</b>
      </p>
      {attempt !== null && (
        <p>
          {attempt.release !== null && (
            <>
              <code>{commitOf(attempt.release.commit)}</code> “{attempt.release.subject}”{' '}
              <span class="dim">{attempt.release.author}</span>:{' '}
            </>
          )}
          {attempt.message}
        </p>
      )}
      {attempt?.verdict != null && <Evidence verdict={attempt.verdict} />}
      {why.likely !== '' && (
        <p>
          <b>Likely:</b> {why.likely}
        </p>
      )}
      {why.next.map(sentence => (
        <p key={sentence}>{sentence}</p>
      ))}
      {why.commands.map(command => (
        <CopyLine key={command} label="terminal" text={command} />
      ))}
    </div>
  )
}

export function Evidence({ verdict }: { verdict: VerdictView }) {
  const { object } = verdict
  return (
    <div class="evidence">
      <p>
        {object !== null && (
          <>
            <code>
              {object.kind} {object.namespace}/{object.name}
            </code>
            :{' '}
          </>
        )}
        {verdict.message}
        {verdict.limit === '' ? '' : ` (${verdict.limit})`}
      </p>
      {verdict.log.length > 0 && <pre class="code">{verdict.log.join('\n')}</pre>}
    </div>
  )
}
