// Each golden as a real API server sees it: a dry run of a server-side apply, with strict fields. Skipped, and said so, where there is no server.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readYaml } from '../../renderer/index.js'
import { kubernetesPrograms, startKubernetes } from '../support/kubernetes.js'
import { names, sets } from './charts.js'

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
}

const programs = kubernetesPrograms()

function pathOf({ apiVersion, kind, metadata }: Manifest, namespace: string): string {
  const group = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`
  const plural = kind.toLowerCase().replace(/(s|y)?$/, (_, last = '') => (last === 's' ? 'ses' : last === 'y' ? 'ies' : 's'))
  return `/${group}/namespaces/${namespace}/${plural}/${metadata.name}?dryRun=All&fieldManager=tests&fieldValidation=Strict`
}

const skip = programs === null && 'neither kube-apiserver nor etcd: name a folder that has both as $KUBE_BIN'

t.test('a real API server accepts every golden', { skip }, async t => {
  if (programs === null) return
  const kubernetes = await startKubernetes(programs)
  t.teardown(kubernetes.stop)
  const restricted = { 'pod-security.kubernetes.io/warn': 'restricted', 'pod-security.kubernetes.io/warn-version': 'latest' }
  for (const [name, labels] of [
    ['plain', {}],
    ['strict', restricted],
  ] as const)
    await kubernetes.ask('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
  const apply = (manifest: Manifest, namespace: string) =>
    kubernetes.ask('PATCH', pathOf(manifest, namespace), manifest, 'application/apply-patch+yaml')

  for (const name of names)
    for (const set of sets) {
      const file = `test/charts/golden/${name}-${set}.yaml`
      for (const manifest of readYaml(readFileSync(file, 'utf8'), file) as Manifest[]) {
        const { status, body, warnings } = await apply(manifest, set === 'hardened' ? 'strict' : 'plain')
        t.ok(status === 200 || status === 201, `${name} ${set} ${manifest.kind}: ${status} ${body.message ?? ''}`)
        t.same(warnings, [], `${name} ${set} ${manifest.kind} without a warning`)
      }
    }

  // That the server would have said so.
  const deployment = (readYaml(readFileSync('test/charts/golden/web-default.yaml', 'utf8'), 'web') as Manifest[]).find(
    ({ kind }) => kind === 'Deployment',
  )
  const wrong = await apply({ ...deployment, spec: { replica: 1 } } as unknown as Manifest, 'plain')
  t.match(wrong.body.message, /spec\.replica: field not declared in schema/)
  const loose = deployment === undefined ? null : await apply(deployment, 'strict')
  t.match(loose?.warnings[0], /would violate PodSecurity "restricted:latest"/)
})
