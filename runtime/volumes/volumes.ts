// A pod's volumes on this machine: made before its containers, there again after a reboot, gone with the pod. Data of claims
// stays. Secrets lie in memory only.
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, chown, lstat, mkdir, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { written } from '../failpoint.js'
import { ConfigError } from '../pods/config-error.js'
import type { PodSurroundings } from '../pods/downward.js'
import type { ContainerSpec, PodRecord, VolumeMount, VolumeSpec } from '../pods/types.js'
import { checkPath, filesOf, type VolumeFile } from './files.js'

export interface VolumePlaces {
  /** emptyDir, ConfigMaps, downward API: `<dir>/<uid>/<volume>`. */
  readonly diskDir: string
  /** On a tmpfs: Secrets and emptyDir of medium Memory. */
  readonly memoryDir: string
  /** Makes the engine's volume of a claim, or finds it; gives its name and its directory. */
  readonly claim: (
    namespace: string,
    claim: string,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) => Promise<{ readonly Name: string; readonly Mountpoint: string }>
}

/** What stands ready for a volume: a directory or file of this machine, or a volume of the engine. */
export interface Prepared {
  readonly path: string
  readonly volume: string | null
  readonly readOnly: boolean
}

/** One entry of the engine's HostConfig.Mounts. */
export interface EngineMount {
  readonly Type: 'bind' | 'volume'
  readonly Source: string
  readonly Target: string
  readonly ReadOnly: boolean
  /** Kubernetes never copies what the image has at the mount path into a claim. */
  readonly VolumeOptions?: { readonly NoCopy: true }
}

export interface Volumes {
  /** Makes what is missing; what is there stays. Throws ConfigError where configuration is missing. */
  prepare(record: PodRecord, around: PodSurroundings, signal: AbortSignal): Promise<ReadonlyMap<string, Prepared>>
  /** Throws ConfigError for a subPath that leads out of its volume. */
  mountsOf(container: ContainerSpec, prepared: ReadonlyMap<string, Prepared>): Promise<readonly EngineMount[]>
  /** An empty file for a run's last words (terminationMessagePath), made where it is missing; gives its path. */
  terminationFile(uid: string, container: string, run: number): Promise<string>
  remove(uid: string): Promise<void>
  /** Removes what was made for pods that never came to be, or that were half removed. */
  keepOnly(uids: ReadonlySet<string>): Promise<void>
}

export function createVolumes(places: VolumePlaces): Volumes {
  return {
    prepare: async (record, around, signal) => {
      const prepared = new Map<string, Prepared>()
      for (const volume of record.spec.volumes)
        prepared.set(volume.name, await prepareOne(places, record, volume, around, signal))
      return prepared
    },
    mountsOf: (container, prepared) => Promise.all(container.volumeMounts.map(mount => toMount(mount, prepared))),
    terminationFile: async (uid, container, run) => {
      const at = (run: number) => join(podDir(places.diskDir, uid), '.ends', `${container}-${run}`)
      const path = at(run)
      // Done at once: every start of a container waits for it, and three turns through the thread pool take longer than the calls.
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      await written('runtime.volume.written', async () => writeFileSync(path, '', { flag: 'a' }))
      chmodSync(path, 0o666)
      // Of the run before the last its container goes, too.
      rmSync(at(run - 2), { force: true })
      return path
    },
    remove: async uid => {
      for (const dir of [places.diskDir, places.memoryDir])
        await written('runtime.volume.removed', () => rm(podDir(dir, uid), { recursive: true, force: true }))
    },
    keepOnly: async uids => {
      for (const dir of [places.diskDir, places.memoryDir]) {
        const names = await readdir(dir).catch(() => [])
        for (const name of names.filter(uid => !uids.has(uid))) await rm(podDir(dir, name), { recursive: true, force: true })
      }
    },
  }
}

function podDir(dir: string, uid: string): string {
  checkPath(uid)
  return join(dir, uid)
}

async function prepareOne(
  places: VolumePlaces,
  record: PodRecord,
  volume: VolumeSpec,
  around: PodSurroundings,
  signal: AbortSignal,
): Promise<Prepared> {
  checkPath(volume.name)
  const source = volume.source
  const group = record.spec.securityContext.fsGroup
  if (source.kind === 'hostPath') return prepareHostPath(source.path, source.type)
  if (source.kind === 'persistentVolumeClaim') {
    const labels = { 'slipway.application': record.application.name }
    const { Name, Mountpoint } = await places.claim(record.namespace, source.claimName, labels, signal)
    if (group !== undefined) await openToGroup(Mountpoint, group)
    return { path: Mountpoint, volume: Name, readOnly: source.readOnly }
  }
  if (source.kind === 'emptyDir') {
    const path = join(podDir(source.medium === 'Memory' ? places.memoryDir : places.diskDir, record.uid), volume.name)
    await makeEmptyDir(path, group)
    return { path, volume: null, readOnly: false }
  }
  const secret = source.kind === 'secret' || source.kind === 'projected'
  const path = join(podDir(secret ? places.memoryDir : places.diskDir, record.uid), volume.name)
  if (!(await exists(path))) await writeFiles(path, filesOf(record, source, around) ?? [], group)
  return { path, volume: null, readOnly: true }
}

async function makeEmptyDir(path: string, group: number | undefined): Promise<void> {
  if (await exists(path)) return
  const beside = `${path}.new`
  await mkdir(beside, { recursive: true, mode: 0o700 })
  if (group !== undefined) await chown(beside, -1, group).catch(() => undefined)
  await chmod(beside, group === undefined ? 0o777 : 0o2777)
  await written('runtime.volume.written', () => rename(beside, path))
}

/** As far as this machine allows: an engine elsewhere keeps its volumes where we cannot reach. */
async function openToGroup(path: string, group: number): Promise<void> {
  await chown(path, -1, group).catch(() => undefined)
  await chmod(path, 0o2775).catch(() => undefined)
}

/** Whole or not at all: written beside, then moved. The directory above is closed to everyone but us; containers see the inner one. */
async function writeFiles(path: string, files: readonly VolumeFile[], group: number | undefined): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const beside = `${path}.new`
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { mode: 0o755 })
  for (const file of files) {
    const at = join(beside, file.path)
    await mkdir(dirname(at), { recursive: true, mode: 0o755 })
    await writeFile(at, file.content, { mode: 0o600 })
    if (group !== undefined) await chown(at, -1, group).catch(() => undefined)
    await chmod(at, group === undefined ? file.mode : file.mode | 0o440)
  }
  await written('runtime.volume.written', () => rename(beside, path))
}

async function prepareHostPath(path: string, type: string): Promise<Prepared> {
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true })
  if (type === 'FileOrCreate') {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, '', { flag: 'a' })
  }
  const found = await stat(path).catch(() => null)
  if (found === null)
    throw new ConfigError(`host path ${path} does not exist on this node: create it, or use type DirectoryOrCreate`)
  const wrong =
    (type === 'Directory' && !found.isDirectory()) ||
    (type === 'File' && !found.isFile()) ||
    (type === 'Socket' && !found.isSocket())
  if (wrong) throw new ConfigError(`host path ${path} is not a ${type}`)
  return { path, volume: null, readOnly: false }
}

async function toMount(mount: VolumeMount, prepared: ReadonlyMap<string, Prepared>): Promise<EngineMount> {
  const volume = prepared.get(mount.name)
  if (volume === undefined) throw new ConfigError(`volumeMount ${mount.mountPath}: the pod has no volume "${mount.name}"`)
  const common = { Target: mount.mountPath, ReadOnly: mount.readOnly || volume.readOnly }
  if (mount.subPath !== undefined && mount.subPath !== '') {
    return { Type: 'bind', Source: await insideOf(volume.path, mount.subPath, volume.readOnly), ...common }
  }
  if (volume.volume !== null) return { Type: 'volume', Source: volume.volume, ...common, VolumeOptions: { NoCopy: true } }
  return { Type: 'bind', Source: volume.path, ...common }
}

/** A link inside a volume that leads out of it must not give a container the rest of the machine. */
async function insideOf(root: string, subPath: string, readOnly: boolean): Promise<string> {
  checkPath(subPath)
  const wanted = join(root, subPath)
  if (!(await exists(wanted))) {
    if (readOnly) throw new ConfigError(`subPath "${subPath}" is not in its volume`)
    await mkdirInside(root, subPath)
  }
  const [real, realRoot] = [await realpath(wanted), await realpath(root)]
  if (real !== realRoot && !real.startsWith(realRoot + sep))
    throw new ConfigError(`subPath "${subPath}" leads out of its volume over a link`)
  return real
}

async function mkdirInside(root: string, subPath: string): Promise<void> {
  let at = await realpath(root)
  for (const part of subPath.split('/')) {
    at = join(at, part)
    const found = await lstat(at).catch(() => null)
    if (found?.isSymbolicLink()) throw new ConfigError(`subPath "${subPath}" leads over a link`)
    if (found === null) await mkdir(at, { mode: 0o777 })
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}
