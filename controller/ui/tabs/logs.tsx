// Log lines as they come: text only, searchable, the last two thousand.
import { useEffect, useState } from 'preact/hooks'
import type { ApplicationView, ObjectView } from '../../view.js'
import { at, type Listed, lines } from '../api.js'
import { useAsked } from '../asking.js'

interface Line {
  readonly at: string
  readonly pod: string
  readonly container: string
  readonly text: string
}

const most = 2000

export function Logs({ view }: { view: ApplicationView }) {
  const [pod, setPod] = useState('')
  const [previous, setPrevious] = useState(false)
  const [words, setWords] = useState('')
  const { seen, failed } = useLines(view.name, pod, previous)
  const fitting = words === '' ? seen : seen.filter(line => line.text.toLowerCase().includes(words.toLowerCase()))
  return (
    <>
      <div class="choices">
        <Pods view={view} pod={pod} choose={setPod} />
        <label>
          <input type="checkbox" checked={previous} onChange={event => setPrevious(event.currentTarget.checked)} /> the container
          before
        </label>
        <input
          type="search"
          aria-label="Search the log"
          placeholder="search"
          value={words}
          onInput={event => setWords(event.currentTarget.value)}
        />
      </div>
      {failed !== '' && (
        <p class="problem" role="alert">
          {failed}
        </p>
      )}
      <pre class="code log" hidden={failed !== '' && seen.length === 0}>
        {fitting.length === 0 ? (
          <span class="dim">No lines{words === '' ? ' yet' : ' hold this'}.</span>
        ) : (
          fitting.map((line, at) => (
            <span key={at}>
              <span class="dim">
                {line.at.slice(11, 19)} {line.pod}/{line.container}
              </span>{' '}
              {printable(line.text)}
              {'\n'}
            </span>
          ))
        )}
      </pre>
    </>
  )
}

function Pods({ view, pod, choose }: { view: ApplicationView; pod: string; choose: (pod: string) => void }) {
  const asked = useAsked<Listed<ObjectView>>(at(view.name, 'resource-tree'), view.health.message)
  const names = asked.state === 'there' ? podsOf(asked.value.items) : []
  return (
    <label>
      Pod{' '}
      <select value={pod} onChange={event => choose(event.currentTarget.value)}>
        <option value="">all</option>
        {names.map(name => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}

function podsOf(objects: readonly ObjectView[]): readonly string[] {
  return objects.flatMap(object => [...(object.pod === null ? [] : [object.pod.name]), ...podsOf(object.children)])
}

/** Follows until the tab is left; drawn at most ten times a second, however fast they come. */
function useLines(name: string, pod: string, previous: boolean): { readonly seen: readonly Line[]; readonly failed: string } {
  const [seen, setSeen] = useState<readonly Line[]>([])
  const [failed, setFailed] = useState('')
  useEffect(() => {
    const abort = new AbortController()
    let waiting: Line[] = []
    const draw = setInterval(() => {
      if (waiting.length === 0) return
      const fresh = waiting
      waiting = []
      setSeen(before => inTime([...before, ...fresh]).slice(-most))
    }, 100)
    setSeen([])
    setFailed('')
    const query = new URLSearchParams({ tail: '200', follow: String(!previous), previous: String(previous), pod })
    const read = async () => {
      for await (const line of lines(`${at(name, 'logs')}?${query}`, {}, abort.signal))
        if (line !== '') waiting.push(JSON.parse(line) as Line)
    }
    read().catch((error: Error) => abort.signal.aborted || setFailed(error.message))
    return () => {
      abort.abort()
      clearInterval(draw)
    }
  }, [name, pod, previous])
  return { seen, failed }
}

/** Each pod's lines come in their order, one pod's after another's: what was said when is what one looks for. */
function inTime(all: readonly Line[]): readonly Line[] {
  const moment = ({ at }: Line) => at.replace('Z', '')
  return all.toSorted((a, b) => (moment(a) < moment(b) ? -1 : moment(a) > moment(b) ? 1 : 0))
}

/** Terminal colours and other controls out: it is text. */
function printable(text: string): string {
  // biome-ignore lint/complexity/useRegexLiterals: control characters are the point
  return text.replace(new RegExp('\\u001b\\[[0-9;?]*[ -/]*[@-~]', 'g'), '').trimEnd()
}
