// Where the chart of slipway render is, as Helm looks for it: here, at an address, in a registry, in a repository that is named or known by name.
import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { HelmFailure, type Need } from '../../renderer/index.js'
import { type Access, shownUrl } from '../charts/access.js'
import { mostArchiveBytes } from '../charts/charts.js'
import { ChartSourceError } from '../charts/errors.js'
import { archiveOf } from '../charts/repository.js'
import type { Surroundings } from './cli.js'
import { chartsHere, proxyNote } from './dependencies.js'

export interface PlaceOptions {
  readonly repo: string
  readonly version: string
  readonly devel: boolean
  readonly username: string
  readonly password: string
  readonly caFile: string
  readonly passCredentials: boolean
  readonly plainHttp: boolean
  readonly repositoryConfig: string
  readonly registryConfig: string
}

export type ChartPlace = { readonly path: string } | { readonly archive: Uint8Array }

/** Throws `HelmFailure`. */
export async function placeOf(around: Surroundings, chart: string, options: PlaceOptions): Promise<ChartPlace> {
  const name = chart.trim()
  if (existsSync(name)) {
    if (options.repo !== '')
      around.complain(
        `WARN local chart found in current working directory. repository url ignored chart=${name} repository=${options.repo}\n`,
      )
    return { path: name }
  }
  if (isAbsolute(name) || name.startsWith('.')) throw new HelmFailure(`path ${JSON.stringify(name)} not found`)
  try {
    return { archive: await fetched(around, name, options) }
  } catch (cause) {
    throw cause instanceof ChartSourceError ? new HelmFailure(`${cause.message}${proxyNote(cause, around)}`) : cause
  }
}

async function fetched(around: Surroundings, name: string, options: PlaceOptions): Promise<Uint8Array> {
  if (options.repo === '' && /^https?:\/\/[^/]+\/./.test(name)) return atAddress(around, name, options)
  const known = chartsHere(around, options)
  const need = needOf(name, options, alias => {
    const found = known.repositories.find(one => one.name === alias)
    if (found === undefined) throw new HelmFailure(`repo ${alias} not found`)
    return found.url
  })
  const { get } = chartsHere(around, options, [accessOf(need.repository, options)])
  return (await get(need, null, around.signal)).bytes
}

/** A packed chart by its whole address. */
async function atAddress(around: Surroundings, address: string, options: PlaceOptions): Promise<Uint8Array> {
  const { origin } = new URL(address)
  const { reach } = chartsHere(around, options, [accessOf(origin, options)])
  const session = { reach: reach(), what: shownUrl(address), maxBytes: mostArchiveBytes, signal: around.signal }
  return archiveOf(`${origin}/`, { version: '', urls: [address], sha256: '' }, session)
}

function accessOf(url: string, { username, password, caFile, passCredentials, plainHttp }: PlaceOptions): Access {
  return { url, username, password, ca: caFile === '' ? '' : textIn(caFile), passCredentials, plainHTTP: plainHttp }
}

function textIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw new HelmFailure(`can't create TLS config: open ${file}: no such file or directory`)
  }
}

/** `oci://host/charts/redis:17.0.0`, `redis` of `--repo`, `bitnami/redis`. */
export function needOf(
  name: string,
  options: Pick<PlaceOptions, 'repo' | 'version' | 'devel'>,
  urlOf: (alias: string) => string,
): Need {
  const version = options.version.trim() || (options.devel ? '>0.0.0-0' : '*')
  const [, place = '', last = '', tag = ''] = /^(oci:\/\/.+)\/([^/:@]+)(?::([^/@]+))?$/.exec(name) ?? []
  if (last !== '') {
    const told = tag.replaceAll('_', '+')
    if (told !== '' && options.version !== '' && options.version !== told)
      throw new HelmFailure(`chart reference and version mismatch: ${options.version} is not ${told}`)
    return { name: last, repository: place, version: told === '' ? version : told }
  }
  if (name.startsWith('oci://'))
    throw new HelmFailure(`${name}: write oci://host/path/chart or oci://host/path/chart:version; digests are not taken`)
  if (options.repo !== '') return { name, repository: options.repo, version }
  const slash = name.indexOf('/')
  if (slash < 0) throw new HelmFailure(`non-absolute URLs should be in form of repo_name/path_to_chart, got: ${name}`)
  return { name: name.slice(slash + 1), repository: urlOf(name.slice(0, slash)), version }
}
