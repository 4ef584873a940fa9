// What flags of slipway render name to be read: files here, what is piped in as `-`, and value files at an address.
import { readFileSync } from 'node:fs'
import { HelmFailure } from '../../renderer/index.js'
import { ChartSourceError } from '../charts/errors.js'
import { ask } from '../charts/http.js'
import type { Surroundings } from './cli.js'

export type ReadHere = (file: string) => Uint8Array

interface Named {
  readonly values: readonly string[]
  readonly setFile: readonly string[]
}

const mostBytes = 20_000_000

/** Throws `HelmFailure`, as what it returns does. */
export async function readerOf({ stdin, signal }: Surroundings, { values, setFile }: Named): Promise<ReadHere> {
  const got = new Map<string, Uint8Array>()
  if (values.includes('-') || setFile.some(line => /=-(,|$)/.test(line))) {
    const chunks: Uint8Array[] = []
    for await (const chunk of stdin) chunks.push(chunk)
    got.set('-', Buffer.concat(chunks))
  }
  for (const file of values) if (/^https?:\/\/./.test(file)) got.set(file, await fetched(file, signal))
  return file => got.get(file) ?? readHere(file)
}

function readHere(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === 'EISDIR'
        ? `read ${file}: is a directory`
        : `open ${file}: no such file or directory`
    throw new HelmFailure(why)
  }
}

async function fetched(address: string, signal: AbortSignal): Promise<Uint8Array> {
  if (!URL.canParse(address)) throw new HelmFailure(`${address} is no address`)
  const url = new URL(address)
  const login =
    url.username === ''
      ? null
      : `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64')}`
  url.username = ''
  url.password = ''
  const authorization = (to: URL): string | null => (to.origin === url.origin ? login : null)
  const reach = { accesses: [], docker: {}, network: 'any' } as const
  try {
    const { status, body } = await ask({ url, what: url.href, accept: '*/*', maxBytes: mostBytes, authorization, reach, signal })
    if (status !== 200) throw new HelmFailure(`failed to fetch ${url.href} : ${status}`)
    return body
  } catch (cause) {
    throw cause instanceof ChartSourceError ? new HelmFailure(cause.message) : cause
  }
}
