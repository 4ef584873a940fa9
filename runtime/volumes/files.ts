// The files that ConfigMaps, Secrets and the downward API become (core/v1 volume sources): which, with what in them.
import { ConfigError, configOf } from '../pods/config-error.js'
import { fieldValue, type PodSurroundings, resourceValue } from '../pods/downward.js'
import type { KeyToPath, PodRecord, VolumeSpec } from '../pods/types.js'

export interface VolumeFile {
  /** Inside the volume. */
  readonly path: string
  readonly content: Buffer
  readonly mode: number
}

type Source = VolumeSpec['source']

/** Null: the volume is no set of files. Throws ConfigError where something is missing or a path leads out of the volume. */
export function filesOf(record: PodRecord, source: Source, around: PodSurroundings): readonly VolumeFile[] | null {
  const found = listFiles(record, source, around)
  for (const file of found ?? []) checkPath(file.path)
  return found
}

function listFiles(record: PodRecord, source: Source, around: PodSurroundings): readonly VolumeFile[] | null {
  switch (source.kind) {
    case 'configMap':
    case 'secret':
      return keyFiles(record, source.kind, source.name, source.items, source.defaultMode, source.optional)
    case 'downwardAPI':
      return source.items.map(item => ({
        path: item.path,
        content: downwardFile(record, item, around),
        mode: source.defaultMode,
      }))
    case 'projected':
      return source.sources.flatMap(each => projectedFiles(record, each as Projected, source.defaultMode, around))
    default:
      return null
  }
}

function keyFiles(
  record: PodRecord,
  kind: 'configMap' | 'secret',
  name: string,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean,
): readonly VolumeFile[] {
  const data = configOf(record, kind, name, optional)
  if (data === null) return []
  const wanted = items ?? Object.keys(data).map(key => ({ key, path: key }) as KeyToPath)
  return wanted.flatMap(item => {
    const value = data[item.key]
    if (value !== undefined) return [{ path: item.path, content: Buffer.from(value, 'base64'), mode: item.mode ?? mode }]
    if (optional) return []
    throw new ConfigError(`key "${item.key}" not found in ${kind === 'secret' ? 'Secret' : 'ConfigMap'} "${name}"`, {
      kind,
      name,
    })
  })
}

interface DownwardItem {
  readonly path: string
  readonly fieldPath?: string
  readonly resource?: string
  readonly container?: string
  readonly divisor?: string
}

function downwardFile(record: PodRecord, item: DownwardItem, around: PodSurroundings): Buffer {
  const text =
    item.fieldPath === undefined
      ? resourceValue(record, around, item.container ?? '', item.resource ?? '', item.divisor ?? '1')
      : fieldValue(record, around, item.fieldPath)
  return Buffer.from(text)
}

/** Kubernetes' own shape: the parser hands projected sources on as they are. */
interface Projected {
  readonly configMap?: { readonly name: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean }
  readonly secret?: { readonly name: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean }
  readonly downwardAPI?: {
    readonly items?: readonly {
      readonly path: string
      readonly fieldRef?: { readonly fieldPath: string }
      readonly resourceFieldRef?: { readonly resource: string; readonly containerName?: string; readonly divisor?: string }
    }[]
  }
}

function projectedFiles(record: PodRecord, source: Projected, mode: number, around: PodSurroundings): readonly VolumeFile[] {
  const { configMap, secret, downwardAPI } = source
  if (configMap !== undefined)
    return keyFiles(record, 'configMap', configMap.name, configMap.items, mode, configMap.optional ?? false)
  if (secret !== undefined) return keyFiles(record, 'secret', secret.name, secret.items, mode, secret.optional ?? false)
  if (downwardAPI === undefined)
    throw new ConfigError(`a projected volume's source ${Object.keys(source).join(', ')} is not supported`)
  return (downwardAPI.items ?? []).map(({ path, fieldRef, resourceFieldRef }) => {
    const item = {
      path,
      ...(fieldRef === undefined ? {} : { fieldPath: fieldRef.fieldPath }),
      ...(resourceFieldRef === undefined
        ? {}
        : {
            resource: resourceFieldRef.resource,
            container: resourceFieldRef.containerName ?? '',
            divisor: resourceFieldRef.divisor ?? '1',
          }),
    }
    return { path, content: downwardFile(record, item, around), mode }
  })
}

/** No file of a volume may be written anywhere but into it. */
export function checkPath(path: string): void {
  if (
    path === '' ||
    path.startsWith('/') ||
    path.includes('\0') ||
    path.split('/').some(part => part === '..' || part === '' || part === '.')
  ) {
    throw new ConfigError(`path "${path}" leads out of its volume: write a relative path without ".."`)
  }
}
