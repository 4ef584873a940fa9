// Evaluates jq's path expressions in a thread of its own, so that one that never ends can be ended.
import { parentPort } from 'node:worker_threads'

interface Jq {
  json(input: unknown, query: string): unknown[]
}

interface Question {
  readonly id: number
  readonly expression: string
  readonly object: unknown
}

// By a name that is not read when types are checked: it is loaded by those alone who use it.
const name: string = 'jq-wasm'
const loading = (import(name) as Promise<{ loadJq(): Promise<Jq> }>).then(({ loadJq }) => loadJq())

parentPort?.on('message', ({ id, expression, object }: Question) => {
  loading
    .then(jq => jq.json(object, `[path(${expression}\n)]`)[0])
    .then(
      paths => parentPort?.postMessage({ id, paths }),
      (error: Error) => parentPort?.postMessage({ id, error: error.message }),
    )
})
void loading.then(() => parentPort?.postMessage({ ready: true }))
