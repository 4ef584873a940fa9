// A real node for the tests' own cluster: containerd and a kubelet in mount and process namespaces of their own, so that ending one process
// ends every container. Its images are made on the spot; no Services are played (there is no kube-proxy).
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { busyboxArchive, type TestImage } from '../archive.js'
import { waitUntil } from '../machine.js'
import { builtProgram, freePorts, type TestCluster } from './server.js'

export interface RealNode {
  /** Pods find it under its tag. */
  load(image: TestImage): void
  /** A docker-archive, under the names in it. */
  take(file: string): void
  stop(): Promise<void>
}

const needed = ['containerd', 'ctr', 'runc', 'unshare', 'mount']
const pluginFolders = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni']
/** Its name and its address: the API server asks it for logs over loopback. */
const nodeName = 'localhost'

/** What is missing for containers in a cluster, for `t.skip`; else false. */
export async function noNode(): Promise<string | false> {
  const lacks = needed.filter(name => found(name) === '')
  if (pluginsFolder() === '') lacks.push('CNI plugins (containernetworking-plugins)')
  if (process.getuid?.() !== 0) lacks.push('root')
  if ((await builtProgram('kubelet')) === '') lacks.push('Go')
  return lacks.length === 0 ? false : `NO CONTAINERS ARE RUN IN A CLUSTER HERE: ${lacks.join(', ')} missing`
}

function found(name: string): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.map(folder => join(folder, name)).find(path => existsSync(path)) ?? ''
}

function pluginsFolder(): string {
  return pluginFolders.find(folder => existsSync(join(folder, 'ptp'))) ?? ''
}

export async function startNode(t: { teardown(end: () => unknown): void }, cluster: TestCluster): Promise<RealNode> {
  const directory = join(cluster.directory, 'node')
  for (const name of ['cni', 'kubelet', 'logs']) mkdirSync(join(directory, name), { recursive: true })
  const [port = 0] = await freePorts(1)
  const kubelet = await builtProgram('kubelet')
  writeFileSync(join(directory, 'containerd.toml'), containerdConfig(directory))
  writeFileSync(join(directory, 'cni', '10-pods.conflist'), JSON.stringify(networkConfig(directory)))
  writeFileSync(join(directory, 'kubelet.yaml'), JSON.stringify(kubeletConfig(directory, port)))
  writeFileSync(join(directory, 'inside.sh'), script(directory, kubelet, cluster.kubeconfig))
  const child = spawn(
    found('unshare'),
    ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '/bin/sh', join(directory, 'inside.sh')],
    { stdio: 'ignore', cwd: directory, env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } },
  )
  child.unref()
  const stop = () => ended(child)
  t.teardown(stop)
  const socket = join(directory, 'containerd', 'sock')
  await waitUntil('containerd listens', 60_000, () => existsSync(socket))
  const take = (file: string) =>
    void execFileSync(found('ctr'), ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', file], { stdio: 'pipe' })
  const load = (image: TestImage) => {
    const file = join(directory, `${randomBytes(4).toString('hex')}.tar`)
    writeFileSync(file, busyboxArchive(image).archive)
    take(file)
  }
  load({ tag: 'localhost/pause:1', entrypoint: ['/bin/sleep', '2147483647'] })
  await waitUntil('the node is ready', 120_000, async () => {
    if (child.exitCode !== null) throw new Error(`the node ended: ${logOf(directory)}`)
    const node = await cluster.find(`/api/v1/nodes/${nodeName}`)
    return node?.status?.conditions?.some(
      (one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True',
    )
  }).catch(error => {
    throw new Error(`${(error as Error).message}: ${logOf(directory)}`)
  })
  return { load, take, stop }
}

/** Its first process ends with it, and with that one all others; the kernel takes their networks and mounts. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.ref()
  child.kill('SIGKILL')
  await gone
  await waitUntil('no control group is in use', 10_000, () => emptied('/sys/fs/cgroup')).catch(() => {})
}

/** What containerd leaves of its containers under `k8s.io`; those of another node of the same machine are in use and stay. */
function emptied(root: string): boolean {
  if (!existsSync(root)) return true
  const groups = existsSync(join(root, 'k8s.io')) ? [root] : readdirSync(root).map(name => join(root, name))
  return groups.map(group => withoutEmpty(join(group, 'k8s.io'))).every(Boolean)
}

function withoutEmpty(folder: string): boolean {
  if (!existsSync(folder)) return true
  const inner = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory())
  for (const { name } of inner) withoutEmpty(join(folder, name))
  try {
    rmdirSync(folder)
    return true
  } catch {
    return false
  }
}

function logOf(directory: string): string {
  const files = ['inside', 'containerd', 'kubelet'].map(name => join(directory, `${name}.log`))
  return files.map(file => (existsSync(file) ? readFileSync(file, 'utf8').slice(-2000) : '')).join('\n')
}

function script(directory: string, kubelet: string, kubeconfig: string): string {
  return `exec >"${directory}/inside.log" 2>&1
mount -t tmpfs none /run && mkdir -p /run/netns
containerd --config "${directory}/containerd.toml" >"${directory}/containerd.log" 2>&1 &
"${kubelet}" --config="${directory}/kubelet.yaml" --kubeconfig="${kubeconfig}" --hostname-override=${nodeName} \\
  --root-dir="${directory}/kubelet" --cert-dir="${directory}/kubelet/pki" >"${directory}/kubelet.log" 2>&1 &
wait
`
}

/** In both layouts of control groups, without AppArmor, and with nothing outside the directory. */
function containerdConfig(directory: string): string {
  return `version = 2
root = "${directory}/containerd/root"
state = "${directory}/containerd/state"
temp = "${directory}/containerd/temp"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "${directory}/containerd/sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${pluginsFolder()}"
    conf_dir = "${directory}/cni"
`
}

/** A pair of links a pod, which goes with it: no bridge, and no rule of a firewall. */
function networkConfig(directory: string) {
  const subnet = `10.244.${randomBytes(1)[0]}.0/24`
  const ipam = {
    type: 'host-local',
    dataDir: join(directory, 'addresses'),
    ranges: [[{ subnet }]],
    routes: [{ dst: '0.0.0.0/0' }],
  }
  return { cniVersion: '0.4.0', name: 'pods', plugins: [{ type: 'ptp', ipMasq: false, ipam }] }
}

function kubeletConfig(directory: string, port: number) {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '127.0.0.1',
    port,
    healthzPort: 0,
    // Only this machine reaches it, and the API server has no certificate to show.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    containerRuntimeEndpoint: `unix://${directory}/containerd/sock`,
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    resolvConf: '',
    podLogsDir: join(directory, 'logs'),
    volumePluginDir: join(directory, 'kubelet', 'plugins'),
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
  }
}
