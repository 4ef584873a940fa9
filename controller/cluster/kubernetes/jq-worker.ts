// Evaluates jq's path expressions in a thread of its own, so that one that never ends can be ended.
import { parentPort } from 'node:worker_threads'

interface Jq {
  json(input: unknown, query: string): unknown[]
}

interface Question {
  readonly id: number
  readonly expression: string
  /** null: whether it can be read at all. */
  readonly object: unknown
}

// By a name that is not read when types are checked: it is loaded by those alone who use it.
const name: string = 'jq-wasm'
const loading = (import(name) as Promise<{ loadJq(): Promise<Jq> }>).then(({ loadJq }) => loadJq())

/** Without an input nothing of it is evaluated: what is thrown then is wrong with the expression. */
function checked(jq: Jq, expression: string): void {
  jq.json(null, `[empty | path(${expression}\n)]`)
}

/** What does not fit an object names nothing in it, as in Argo CD: `.spec.containers[].image` of one without containers. */
function pathsOf(jq: Jq, { expression, object }: Question): unknown {
  checked(jq, expression)
  if (object === null) return []
  try {
    return jq.json(object, `[path(${expression}\n)]`)[0]
  } catch (error) {
    if (/invalid path expression/i.test((error as Error).message)) throw error
    return []
  }
}

parentPort?.on('message', (question: Question) => {
  const { id } = question
  loading
    .then(jq => pathsOf(jq, question))
    .then(
      paths => parentPort?.postMessage({ id, paths }),
      (error: Error) => parentPort?.postMessage({ id, error: error.message }),
    )
})
void loading.then(() => parentPort?.postMessage({ ready: true }))
