import { mkdtempSync, realpathSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { realPath } from '../../runtime/host.js'
import { denyingPolicy, type Host, hostPathRefusal, parseHostPolicy, policyProblems } from '../../runtime/policy.js'
import { readObject } from '../../runtime/workloads/objects.js'
import { deployment } from '../support/node.js'

const host: Host = { realPath, engineSockets: ['/run/docker.sock'] }

function hostPath(path: string, type = '', readOnly = false) {
  const volumes = [{ name: 'v', hostPath: { path, type } }]
  return [{ volumes }, { volumeMounts: [{ name: 'v', mountPath: '/v', readOnly }] }] as const
}

function refused(pod: object, own: object, policy: object = {}): readonly string[] {
  const { object, problems } = readObject(deployment({}, pod, 'web', own))
  if (object === null) return problems.map(problem => `${problem.reason} ${problem.message}`)
  return policyProblems(object, { ...denyingPolicy, ...policy }, host).map(problem => `${problem.reason} ${problem.message}`)
}

t.test('every way out of a container is refused unless the policy allows it', async t => {
  const security = (securityContext: object) => [{}, { securityContext }] as const
  const table: readonly [string, readonly [object, object], object | null][] = [
    ['privileged', security({ privileged: true }), { privileged: true }],
    ['an added capability', security({ capabilities: { add: ['SYS_ADMIN'] } }), { capabilities: ['SYS_ADMIN'] }],
    ['one with its prefix', security({ capabilities: { add: ['CAP_NET_ADMIN'] } }), { capabilities: ['NET_ADMIN'] }],
    ['all of them', security({ capabilities: { add: ['ALL'] } }), { capabilities: ['ALL'] }],
    ['the network of the host', [{ hostNetwork: true }, {}], { hostNetwork: true }],
    ['a sysctl', [{ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }, {}], { sysctls: ['kernel.msgmax'] }],
    ['a path of the host', hostPath('/srv/data'), { hostPaths: [{ path: '/srv', readOnly: false }] }],
    ['the root of the host', hostPath('/'), null],
    [
      'the socket of the engine',
      hostPath('/run/docker.sock', 'Socket'),
      { engineSocket: true, hostPaths: [{ path: '/run', readOnly: false }] },
    ],
    ['the socket by its old name', hostPath('/var/run/docker.sock'), null],
    ['the directory of the socket', hostPath('/run'), null],
    ['a path with dots', hostPath('/srv/../etc'), null],
    ['a relative path', hostPath('etc'), null],
    ['a device', hostPath('/dev/kmsg', 'CharDevice'), { devices: true, hostPaths: [{ path: '/dev', readOnly: false }] }],
    ['a device as a file', hostPath('/dev/mem', 'File'), { devices: true, hostPaths: [{ path: '/dev', readOnly: false }] }],
    ['hostPID', [{ hostPID: true }, {}], null],
    ['hostIPC', [{ hostIPC: true }, {}], null],
    ['unconfined seccomp', security({ seccompProfile: { type: 'Unconfined' } }), null],
    ['unconfined apparmor', security({ appArmorProfile: { type: 'Unconfined' } }), null],
    ['an unmasked /proc', security({ procMount: 'Unmasked' }), null],
    ['another runtime', [{ runtimeClassName: 'insecure' }, {}], null],
    ['a block device', [{}, { volumeDevices: [{ name: 'd', devicePath: '/dev/sda' }] }], null],
    [
      'shared mounts',
      [{ volumes: [{ name: 'd' }] }, { volumeMounts: [{ name: 'd', mountPath: '/d', mountPropagation: 'Bidirectional' }] }],
      null,
    ],
  ]
  for (const [what, [pod, own], allowing] of table) {
    const found = refused(pod, own)
    t.ok(found.length > 0 && found.every(text => text.startsWith('HostPolicy ')), `${what}: ${found.join('; ')}`)
    if (allowing !== null) t.same(refused(pod, own, allowing), [], `${what}, allowed`)
  }
})

t.test('volumes of drivers have no way in: their options cannot be said', async t => {
  const found = refused({ volumes: [{ name: 'v', flexVolume: { driver: 'local', options: { type: 'bind', device: '/' } } }] }, {})

  t.match(found, [/UnsupportedField .*flexVolume/])
})

t.test('an init container is held to the same', async t => {
  const found = refused({ initContainers: [{ name: 'i', image: 'i', securityContext: { privileged: true } }] }, {})

  t.match(found, [/initContainers\[0\].securityContext.privileged/])
})

t.test('what every container has anyway may be asked for', async t => {
  t.same(refused({}, { securityContext: { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } } }), [])
  t.same(refused({}, { ports: [{ containerPort: 80, hostPort: 80 }] }), [])
  t.match(refused({}, { ports: [{ containerPort: 80, hostPort: 80 }] }, { hostPorts: false }), [/host port 80/])
})

t.test('a symbolic link leads to where it leads', async t => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'slipway-policy-')))
  symlinkSync('/etc', join(root, 'innocent'))
  symlinkSync('/run/docker.sock', join(root, 'socket'))
  const policy = { ...denyingPolicy, hostPaths: [{ path: root, readOnly: false }] }

  t.equal(hostPathRefusal(join(root, 'new/data'), 'DirectoryOrCreate', true, policy, host), null)
  t.match(hostPathRefusal(join(root, 'innocent'), '', true, policy, host), /really \/etc\) is not below an allowed path/)
  t.match(hostPathRefusal(join(root, 'innocent/ssh'), '', true, policy, host), /is not below/)
  t.match(hostPathRefusal(join(root, 'socket'), '', true, policy, host), /engine's socket/)
})

t.test('a path that is allowed for reading is not for writing', async t => {
  const policy = { hostPaths: [{ path: '/srv', readOnly: true }] }

  t.same(refused(...hostPath('/srv/x', '', true), policy), [])
  t.match(refused(...hostPath('/srv/x'), policy), [/for writing/])
  t.match(refused(...hostPath('/srvx', '', true), policy), [/not below/])
})

t.test('a policy file with a fault denies everything and says which', async t => {
  t.same(parseHostPolicy(undefined), { policy: denyingPolicy, faults: [] })
  t.same(parseHostPolicy({ privileged: true }).policy.privileged, true)
  t.same(parseHostPolicy({ hostPaths: ['/srv', { path: '/data', readOnly: true }] }).policy.hostPaths, [
    { path: '/srv', readOnly: false },
    { path: '/data', readOnly: true },
  ])
  t.equal(parseHostPolicy({ maxImageSize: '2Gi' }).policy.maxImageSize, 2 * 2 ** 30)
  t.equal(parseHostPolicy({ imageDirectory: '/srv/images' }).policy.imageDirectory, '/srv/images')
  t.match(parseHostPolicy({ imageDirectory: 'images' }).faults, [/^imageDirectory: must be an absolute path/])
  t.match(parseHostPolicy({ maxImageSize: 'small' }).faults, [/^maxImageSize: must be a quantity/])
  const { policy, faults } = parseHostPolicy({ privileged: true, hostPath: ['/'] })
  t.same(policy, denyingPolicy)
  t.same(faults, ['hostPath: unknown field (did you mean hostPaths?)'])
  t.match(parseHostPolicy({ hostPaths: ['../x'] }).faults, [/absolute/])
})
