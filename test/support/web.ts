// The web server that end-to-end tests release: an image made from busybox, and the objects that run it behind a Service.
import { busyboxArchive, type TestImage } from './archive.js'
import type { Slipway } from './slipway.js'

/**
 * Answers $MESSAGE on port 8080 and writes each request's id to /served, where that is mounted. BEHAVIOUR: serve; crash (at once);
 * never-ready (answers, but /ready does not exist); crash-later (ready, then ends by itself); until-told (crashes until /shared/go exists).
 */
const server = `#!/bin/sh
echo "web starts (behaviour: \${BEHAVIOUR:-serve})"
case "\${BEHAVIOUR:-serve}" in
  crash)
    echo "connecting to cache:6379"
    echo "Error: getaddrinfo ENOTFOUND cache"
    exit 1 ;;
  until-told) [ -e /served/go ] || { echo "nobody told me to go"; exit 1; }; echo ok >/www/ready ;;
  never-ready) echo "waiting for the moon" ;;
  *) echo ok >/www/ready ;;
esac
echo ok >/www/health
trap 'kill $web; exit 0' TERM
httpd -f -p 8080 -h /www &
web=$!
if [ "\${BEHAVIOUR:-serve}" = crash-later ]; then sleep 3; echo "out of breath"; kill $web; exit 3; fi
wait $web
`

const page = `#!/bin/sh
[ -d /served ] && echo "$HTTP_X_REQUEST_ID $HOSTNAME" >>/served/ids
printf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' "\${MESSAGE:-welcome}"
`

/** Loads it under a tag of this instance's own; its id. `mark` makes another image of it. */
export async function loadWebImage(
  slipway: Slipway,
  tag = '1',
  mark = '',
): Promise<{ readonly image: string; readonly id: string }> {
  const image = `slipway-e2e/${slipway.node}:${tag}`
  const { id, archive } = busyboxArchive(webImage(image, mark))
  await slipway.docker.images.load(archive)
  return { image, id }
}

export function webImage(tag: string, mark = ''): TestImage {
  return {
    tag,
    entrypoint: ['/bin/sh', '/app/server.sh'],
    files: { '/app/server.sh': server, '/www/cgi-bin/index.cgi': page, ...(mark === '' ? {} : { '/www/mark': mark }) },
  }
}

export async function removeImages(slipway: Slipway, ...tags: readonly string[]): Promise<void> {
  for (const tag of tags) await slipway.docker.images.remove(`slipway-e2e/${slipway.node}:${tag}`).catch(() => undefined)
}

type Fields = Readonly<Record<string, unknown>>

export interface WebOptions {
  readonly image: string
  readonly name?: string
  readonly replicas?: number
  readonly message?: string
  readonly behaviour?: string
  readonly nodePort?: number
  /** Directory on the machine to which the ids of served requests go. */
  readonly served?: string
  /** Instead of a readiness probe on /ready. */
  readonly probes?: Fields
  readonly container?: Fields
  readonly pod?: Fields
  readonly deployment?: Fields
  readonly annotations?: Readonly<Record<string, string>>
}

export const readiness = {
  readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 2 },
}

/** Deployment and Service as the content of one manifest file. */
export function web(options: WebOptions): string {
  return documents([deployment(options), service(options)])
}

/** YAML reads JSON. */
export function documents(objects: readonly unknown[]): string {
  return objects.map(object => JSON.stringify(object, null, 1)).join('\n---\n')
}

export function deployment(options: WebOptions): Fields {
  const name = options.name ?? 'web'
  const mounted = options.served !== undefined
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, annotations: options.annotations ?? {} },
    spec: {
      replicas: options.replicas ?? 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              name: 'web',
              image: options.image,
              imagePullPolicy: 'IfNotPresent',
              env: [
                { name: 'MESSAGE', value: options.message ?? 'welcome' },
                { name: 'BEHAVIOUR', value: options.behaviour ?? 'serve' },
              ],
              ports: [{ name: 'http', containerPort: 8080 }],
              ...(options.probes ?? readiness),
              ...(mounted ? { volumeMounts: [{ name: 'served', mountPath: '/served' }] } : {}),
              ...options.container,
            },
          ],
          ...(mounted ? { volumes: [{ name: 'served', hostPath: { path: options.served, type: 'Directory' } }] } : {}),
          ...options.pod,
        },
      },
      ...options.deployment,
    },
  }
}

export function service(options: Pick<WebOptions, 'name' | 'nodePort'>, selected = options.name ?? 'web'): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: options.name ?? 'web' },
    spec: {
      ...(options.nodePort === undefined ? {} : { type: 'NodePort' }),
      selector: { app: selected },
      ports: [
        {
          name: 'http',
          port: 80,
          targetPort: 8080,
          ...(options.nodePort === undefined ? {} : { nodePort: options.nodePort }),
        },
      ],
    },
  }
}

/** A Job of one command; `hook` makes it one of that phase. */
export function job(
  name: string,
  image: string,
  command: string,
  more: { hook?: string; served?: string; annotations?: Fields } = {},
): Fields {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      annotations: { ...(more.hook === undefined ? {} : { 'argocd.argoproj.io/hook': more.hook }), ...more.annotations },
    },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [
            {
              name: 'job',
              image,
              imagePullPolicy: 'IfNotPresent',
              command: ['/bin/sh', '-c', command],
              ...(more.served === undefined ? {} : { volumeMounts: [{ name: 'served', mountPath: '/served' }] }),
            },
          ],
          ...(more.served === undefined
            ? {}
            : { volumes: [{ name: 'served', hostPath: { path: more.served, type: 'Directory' } }] }),
        },
      },
    },
  }
}
