// Asks every route that /openapi.json tells of, with every application and the questions that people ask, and every wrong one.
import type { Client } from '../../examples/demo/client.js'

export interface Answer {
  readonly asked: string
  readonly status: number
  /** With its headers. */
  readonly text: string
}

interface Operation {
  readonly operationId?: string
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

const releases = ['live', 'r1', 'r2', 'r99', 'Kanarie']
const questions: Readonly<Record<string, readonly string[]>> = {
  manifests: ['', ...releases.map(release => `?release=${release}`)],
  diff: ['', '?from=r1&to=r2', '?from=live', '?from=r1', '?to=r99'],
  logs: ['', '?tail=1000', '?previous=true', '?pod=nope'],
  readyz: ['', '?verbose'],
  metrics: [''],
}

/** Endless or holding secrets by design: the stream is listened to elsewhere; `backup` holds everything; these give a token, once. */
const apart: ReadonlySet<string> = new Set([
  'stream',
  'backup',
  'restore',
  'createToken',
  'createLoginLink',
  'logout',
  'revokeToken',
])

export async function crawl(
  client: Client,
  token: string,
  applications: readonly string[],
  bodies: readonly string[],
): Promise<readonly Answer[]> {
  const { paths } = (await client.call('GET', '/openapi.json')) as { readonly paths: Paths }
  const answers: Answer[] = []
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { operationId = '' }] of Object.entries(methods)) {
      if (apart.has(operationId)) continue
      const isRead = method === 'get'
      // What changes something is asked of nobody: it is its errors that are looked at.
      const names = path.includes('{name}') ? (isRead ? [...applications, 'nope'] : ['nope']) : ['']
      const asked = names.map(name => path.replace('{name}', name).replace(/\{\w+\}/g, 'nope'))
      for (const url of asked)
        for (const query of isRead ? (questions[operationId] ?? ['']) : [''])
          for (const body of isRead ? [null] : bodies)
            answers.push(await ask(client.server, token, method.toUpperCase(), url + query, body))
    }
  return answers
}

async function ask(server: string, token: string, method: string, path: string, body: string | null): Promise<Answer> {
  const answer = await fetch(`${server}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === null ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === null ? {} : { body }),
  })
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join('\n')
  return { asked: `${method} ${path}`, status: answer.status, text: `${headers}\n\n${await answer.text()}` }
}
