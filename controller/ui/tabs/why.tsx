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
      {blocksOf(why.next).map(({ quoted, text }) =>
        quoted ? (
          <pre class="code" key={text}>
            {text}
          </pre>
        ) : (
          <p key={text}>{text}</p>
        ),
      )}
      {why.commands.map(command => (
        <CopyLine key={command} label="terminal" text={command} />
      ))}
    </div>
  )
}

interface Block {
  /** An excerpt or log lines: columns are kept. */
  readonly quoted: boolean
  readonly text: string
}

/** Excerpts have several lines, log lines begin with `| `; lines that follow each other are one block. */
function blocksOf(texts: readonly string[]): readonly Block[] {
  const blocks: Block[] = []
  for (const text of texts) {
    const isLine = text.startsWith('| ')
    const before = blocks.at(-1)
    const own = isLine ? text.slice(2) : text
    if (isLine && before?.quoted) blocks[blocks.length - 1] = { quoted: true, text: `${before.text}\n${own}` }
    else blocks.push({ quoted: isLine || text.includes('\n'), text: own })
  }
  return blocks
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
