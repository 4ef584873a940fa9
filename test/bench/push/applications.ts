// The applications of the benchmark: a chart in a Git repository each, pushed and announced as people and servers do.
import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { AttemptView } from '../../../controller/view.js'
import type { GitServer } from '../../../examples/demo/git-server.js'
import { type Instance, node } from './instance.js'

const run = promisify(execFile)

export type Behaviour = 'serve' | 'crash' | 'never-ready'

export interface Pushed {
  readonly commit: string
  /** ms since 1970: the push had ended, and the webhook, where there is one, was about to be sent. */
  readonly at: number
}

export interface Repository {
  readonly application: string
  /** The page says `version`: it tells which release serves. */
  readonly push: (version: string, behaviour: Behaviour, announced: boolean) => Promise<Pushed>
}

const chart = 'apiVersion: v2\nname: web\nversion: 0.1.0\n'

/** `nodePort` 0: inside the node's network only. */
export const replicas = 2
const templates = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{Release.Name}}
data:
  VERSION: {{quote Values.version}}
  BEHAVIOUR: {{quote Values.behaviour}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{Release.Name}}
spec:
  replicas: ${replicas}
  selector:
    matchLabels: { app: {{Release.Name}} }
  template:
    metadata:
      labels: { app: {{Release.Name}} }
      annotations:
        checksum/config: {{sha256sum (toJson (list Values.version Values.behaviour))}}
    spec:
      containers:
        - name: web
          image: {{quote Values.image}}
          envFrom:
            - configMapRef: { name: {{Release.Name}} }
          ports:
            - name: http
              containerPort: 8080
          readinessProbe:
            httpGet: { path: /ready, port: http }
            periodSeconds: 10
          livenessProbe:
            httpGet: { path: /, port: http }
            periodSeconds: 10
---
apiVersion: v1
kind: Service
metadata:
  name: {{Release.Name}}
spec:
  type: {{#if Values.nodePort}}NodePort{{else}}ClusterIP{{/if}}
  selector: { app: {{Release.Name}} }
  ports:
    - name: http
      port: 80
      targetPort: http
      {{#if Values.nodePort}}
      nodePort: {{Values.nodePort}}
      {{/if}}
`

export async function openRepository(
  git: GitServer,
  instance: Instance,
  options: { readonly name: string; readonly directory: string; readonly image: string; readonly nodePort: number },
): Promise<Repository> {
  const { name, directory, image, nodePort } = options
  const url = await git.create(name)
  mkdirSync(join(directory, 'templates'), { recursive: true })
  writeFileSync(join(directory, 'Chart.yaml'), chart)
  writeFileSync(join(directory, 'templates/web.hbs'), templates)
  const inside = (...args: readonly string[]) => run('git', ['-C', directory, ...args], { env: authored })
  await inside('init', '--quiet', '--initial-branch=main')
  await inside('remote', 'add', 'origin', url)

  return {
    application: name,
    async push(version, behaviour, announced) {
      const values = { image, nodePort, version, behaviour }
      writeFileSync(join(directory, 'values.yaml'), `${JSON.stringify(values, null, 2)}\n`)
      await inside('add', '-A')
      await inside('commit', '--quiet', '-m', `${behaviour} ${version}`)
      await inside('push', '--quiet', 'origin', 'HEAD:main')
      const commit = (await inside('rev-parse', 'HEAD')).stdout.trim()
      const at = Date.now()
      if (announced) await announce(instance, url)
      return { commit, at }
    },
  }
}

export const authored = {
  ...process.env,
  GIT_AUTHOR_NAME: 'Ana Lima',
  GIT_AUTHOR_EMAIL: 'ana@shop.test',
  GIT_COMMITTER_NAME: 'Ana Lima',
  GIT_COMMITTER_EMAIL: 'ana@shop.test',
}

/** As GitHub does. */
export async function announce({ client, webhookSecret }: Instance, url: string): Promise<void> {
  const body = JSON.stringify({ ref: 'refs/heads/main', repository: { clone_url: url } })
  const signature = createHmac('sha256', webhookSecret).update(body).digest('hex')
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` }
  const answer = await fetch(`${client.server}/api/webhook`, { method: 'POST', headers, body })
  if (answer.status !== 202) throw new Error(`webhook: ${answer.status} ${await answer.text()}`)
}

export async function declare({ client }: Instance, name: string, repoURL: string): Promise<void> {
  await client.call('POST', '/api/v1/applications', {
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'Application',
    metadata: { name },
    spec: {
      source: { repoURL, path: '.', targetRevision: 'main' },
      destination: { name: node, namespace: name },
    },
  })
}

/** The newest attempt at this commit, once `isSo` of it. Looks every 100 ms. */
export async function attemptAt(
  { client }: Instance,
  name: string,
  commit: string,
  isSo: (attempt: AttemptView) => boolean,
  withinMs: number,
): Promise<AttemptView> {
  const what = `where it should be with ${commit.slice(0, 7)}`
  const view = await client.until(name, what, ({ attempt }) => isOf(attempt, commit) && isSo(attempt), withinMs)
  return view.attempt as AttemptView
}

function isOf(attempt: AttemptView | null, commit: string): attempt is AttemptView {
  return attempt !== null && attempt.release?.commit === commit
}
