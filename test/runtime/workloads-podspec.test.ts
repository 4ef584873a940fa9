import t from 'tap'
import { manifestHash } from '../../runtime/contract/hash.js'
import type { Manifest } from '../../runtime/contract/manifest.js'
import { portMode, readObject } from '../../runtime/workloads/objects.js'
import { parseBytes, parseCpuMillis, parseQuantity } from '../../runtime/workloads/quantity.js'
import { container, deployment, object } from '../support/node.js'

function problems(manifest: Manifest): readonly string[] {
  return readObject(manifest).problems.map(({ reason, message }) => `${reason} ${message}`)
}

function podOf(pod: object, own: object = {}) {
  const { object: read } = readObject(deployment({}, pod, 'web', own))
  return read?.kind === 'Deployment' ? read.spec.template.spec : null
}

t.test('quantities are read as Kubernetes reads them', async t => {
  const table: readonly [string | number, number | null][] = [
    ['500m', 0.5],
    ['1.5', 1.5],
    [2, 2],
    ['1Ki', 1024],
    ['256Mi', 256 * 2 ** 20],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['1G', 1e9],
    ['1e3', 1000],
    ['1E', 1e18],
    ['12k', 12000],
    ['', null],
    ['1KB', null],
    ['256 Mi', null],
    ['lots', null],
  ]
  for (const [text, value] of table) t.equal(parseQuantity(text), value, String(text))
  t.equal(parseCpuMillis('100m'), 100)
  t.equal(parseCpuMillis('0.1'), 100)
  t.equal(parseCpuMillis('1n'), 1)
  t.equal(parseBytes('100m'), 1)
})

t.test('defaults are those of core/v1', async t => {
  const spec = podOf(
    {},
    { livenessProbe: { httpGet: { port: 'http' } }, resources: { limits: { cpu: '500m', memory: '256Mi' } } },
  )!

  t.match(spec, { restartPolicy: 'Always', terminationGracePeriodSeconds: 30, dnsPolicy: 'ClusterFirst', hostNetwork: false })
  t.match(spec.containers[0], {
    imagePullPolicy: 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    resources: { requests: { cpuMillis: 500, memoryBytes: 256 * 2 ** 20 }, limits: { cpuMillis: 500 } },
    livenessProbe: {
      handler: { kind: 'httpGet', path: '/', port: 8080, scheme: 'HTTP' },
      initialDelaySeconds: 0,
      periodSeconds: 10,
      timeoutSeconds: 1,
      successThreshold: 1,
      failureThreshold: 3,
    },
  })
  t.notOk('workingDir' in spec.containers[0]!, 'what is absent stays absent')
})

t.test('an image is pulled always without a tag or as latest, else when it is missing', async t => {
  const table = [
    ['web', 'Always'],
    ['web:latest', 'Always'],
    ['registry:5000/web', 'Always'],
    ['web:1', 'IfNotPresent'],
    ['web@sha256:abc', 'IfNotPresent'],
  ] as const
  for (const [image, policy] of table) t.equal(podOf({}, { image })!.containers[0]!.imagePullPolicy, policy, image)
})

t.test('every field that is not honoured is a problem with its path', async t => {
  const at = 'spec.template.spec'
  const table: readonly [object, object, string][] = [
    [{}, { foo: 1 }, `UnknownField ${at}.containers[0].foo: unknown field`],
    [
      {},
      { imagePulPolicy: 'Always' },
      `UnknownField ${at}.containers[0].imagePulPolicy: unknown field (did you mean imagePullPolicy?)`,
    ],
    [{ restartpolicy: 'Always' }, {}, `UnknownField ${at}.restartpolicy: unknown field (did you mean restartPolicy?)`],
    [{}, { image: 7 }, `InvalidValue ${at}.containers[0].image: must be a string`],
    [{}, { env: [{ name: 'A', value: 1 }] }, `InvalidValue ${at}.containers[0].env[0].value: must be a string`],
    [
      {},
      { resources: { limits: { memory: '256MB' } } },
      `InvalidValue ${at}.containers[0].resources.limits.memory: '256MB' is no quantity such as 500m, 1.5 or 256Mi`,
    ],
    [
      {},
      { readinessProbe: { httpGet: { port: 'web' } } },
      `InvalidValue ${at}.containers[0].readinessProbe.httpGet.port: 'web' is neither a port number nor the name of a port of this container`,
    ],
    [{}, { readinessProbe: {} }, `InvalidValue ${at}.containers[0].readinessProbe.httpGet: or tcpSocket, grpc, exec is required`],
    [
      {},
      { livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } },
      `InvalidValue ${at}.containers[0].livenessProbe.successThreshold: must be 1`,
    ],
    [
      {},
      { volumeMounts: [{ name: 'data', mountPath: '/d' }] },
      `InvalidValue ${at}.containers: 'web' mounts volume 'data', which is not among the volumes`,
    ],
    [
      { volumes: [{ name: 'data', nfs: { server: 'x' } }] },
      {},
      `UnsupportedField ${at}.volumes[0].nfs: volumes of this kind are not supported on a node`,
    ],
    [
      { nodeSelector: { disk: 'ssd' } },
      {},
      `UnsupportedField ${at}.nodeSelector: 'disk' is not known on a node: leave it out, the application's destination names the node`,
    ],
    [
      { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{}] } } },
      {},
      `UnsupportedField ${at}.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution: cannot be honoured by a single node: use preferred..., or leave it out`,
    ],
    [{ restartPolicy: 'Never' }, {}, `InvalidValue ${at}.restartPolicy: must be Always`],
    [{ readinessGates: [{ conditionType: 'x' }] }, {}, `UnsupportedField ${at}.readinessGates: is not supported on a node`],
    [{ containers: [] }, {}, `InvalidValue ${at}.containers: must have at least one container`],
  ]
  for (const [pod, own, expected] of table) t.same(problems(deployment({}, pod, 'web', own)), [expected], expected)
})

t.test('all faults are named at once', async t => {
  const found = problems(deployment({ replicas: 'three', pause: true }, { hostPid: true }, 'web', { image: '' }))

  t.equal(found.length, 4)
})

t.test('what asks for the host itself is refused as host policy, whatever the policy', async t => {
  const table: readonly [string, object, object][] = [
    ['hostPID', { hostPID: true }, {}],
    ['hostIPC', { hostIPC: true }, {}],
    ['runtimeClassName', { runtimeClassName: 'x' }, {}],
    ['seccomp of the pod', { securityContext: { seccompProfile: { type: 'Unconfined' } } }, {}],
    ['seccomp', {}, { securityContext: { seccompProfile: { type: 'Unconfined' } } }],
    ['apparmor', {}, { securityContext: { appArmorProfile: { type: 'Unconfined' } } }],
    ['procMount', {}, { securityContext: { procMount: 'Unmasked' } }],
    ['seLinuxOptions', {}, { securityContext: { seLinuxOptions: { type: 'spc_t' } } }],
    ['volumeDevices', {}, { volumeDevices: [{ name: 'x', devicePath: '/dev/x' }] }],
    [
      'mountPropagation',
      { volumes: [{ name: 'd' }] },
      { volumeMounts: [{ name: 'd', mountPath: '/d', mountPropagation: 'Bidirectional' }] },
    ],
    [
      'subPath out of its volume',
      { volumes: [{ name: 'd' }] },
      { volumeMounts: [{ name: 'd', mountPath: '/d', subPath: '../x' }] },
    ],
    [
      'a file out of its volume',
      { volumes: [{ name: 'd', configMap: { name: 'c', items: [{ key: 'a', path: '../../etc/passwd' }] } }] },
      {},
    ],
  ]
  for (const [what, pod, own] of table) t.match(problems(deployment({}, pod, 'web', own)).join(), /^HostPolicy [^,]*$/, what)
})

t.test('what means nothing on one node is accepted', async t => {
  const pod = {
    tolerations: [{ operator: 'Exists' }],
    topologySpreadConstraints: [{ maxSkew: 1 }],
    priorityClassName: 'high',
    automountServiceAccountToken: false,
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1 }] } },
    securityContext: { seccompProfile: { type: 'RuntimeDefault' }, fsGroupChangePolicy: 'OnRootMismatch' },
  }

  t.same(problems(deployment({}, pod)), [])
})

t.test('kinds that a node does not run are refused by name, others of another version too', async t => {
  const table: readonly [string, string, RegExp][] = [
    ['v1', 'Servise', /^UnsupportedKind Servise \(v1\) is not run by a node \(did you mean Service\?\)/],
    ['networking.k8s.io/v1', 'NetworkPolicy', /^UnsupportedKind NetworkPolicy \(networking.k8s.io\/v1\) is not run by a node/],
    ['apps/v1', 'StatefulSet', /^UnsupportedKind StatefulSet/],
    ['extensions/v1beta1', 'Deployment', /^UnsupportedKind Deployment must be of apps\/v1, is of extensions\/v1beta1/],
    ['v1', 'constructor', /^UnsupportedKind constructor/],
  ]
  for (const [version, kind, expected] of table) t.match(problems(object(version, kind, 'x'))[0], expected)
})

t.test('a Service speaks TCP only, and names its protocol by appProtocol or port name', async t => {
  const service = (ports: object[], more: object = {}) =>
    object('v1', 'Service', 'web', { spec: { selector: { app: 'web' }, ports, ...more } })
  t.same(problems(service([{ port: 80 }])), [])
  t.match(problems(service([{ port: 53, protocol: 'UDP' }]))[0], /UDP is not supported/)
  t.match(problems(service([{ port: 80 }, { port: 81 }]))[0], /must each have a name/)
  t.match(problems(service([{ port: 80, nodePort: 30080 }]))[0], /does not go with type ClusterIP/)
  t.match(problems(service([{ port: 80 }], { sessionAffinity: 'ClientIP' }))[0], /sessionAffinity/)
  t.match(problems(service([{ port: 80 }], { loadBalancerSourceRanges: ['10.0.0.0/8'] }))[0], /loadBalancerSourceRanges/)
  const modes = [
    ['http', undefined, 'http'],
    ['http-web', undefined, 'http'],
    ['https', undefined, 'tcp'],
    ['', undefined, 'detect'],
    ['web', undefined, 'detect'],
    ['x', 'http', 'http'],
    ['http', 'tcp', 'tcp'],
  ] as const
  for (const [name, protocol, mode] of modes) t.equal(portMode(name, protocol), mode, `${name} ${protocol ?? ''}`)
})

t.test('ConfigMaps and Secrets are read as base64, and a Secret that is none is refused', async t => {
  const map = readObject(object('v1', 'ConfigMap', 'c', { data: { a: 'x' }, binaryData: { b: 'AAE=' } })).object
  const secret = readObject(object('v1', 'Secret', 's', { data: { a: 'eA==\n' }, stringData: { b: 'y' } })).object

  t.same(map?.kind === 'ConfigMap' && map.data, { a: 'eA==', b: 'AAE=' })
  t.same(secret?.kind === 'Secret' && secret.data, { a: 'eA==', b: 'eQ==' })
  t.match(problems(object('v1', 'Secret', 's', { data: { a: 'not base64!' } }))[0], /a must be base64/)
  t.match(problems(object('v1', 'ConfigMap', 'c', { data: { port: 80 } }))[0], /data.port: must be a string: put it in quotes/)
})

t.test('reading leaves the manifest as it is', async t => {
  const manifest = deployment({}, {}, 'web', container())
  const before = manifestHash(manifest)
  readObject(manifest)
  t.equal(manifestHash(manifest), before)
})
