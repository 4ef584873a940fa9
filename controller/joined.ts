// What `slipway up` and the controller leave for one another on this machine: the public keys of nodes, the first token.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { NodeIdentity } from '../runtime/contract/keys.js'
import { copyOf, readKept } from '../runtime/whole-file.js'
import { type openTokens, tokenLifetimeMs } from './api/tokens.js'

/**
 * The nodes that `slipway up` joined on this machine: their public keys, one file each. One that cannot be read, nor its copy, is no
 * node's: the next `slipway up` writes it anew.
 */
export function nodeIdentities(directory: string, warn: (fault: string) => void): ReadonlyMap<string, NodeIdentity> {
  if (!existsSync(directory)) return new Map()
  const files = new Set(readdirSync(directory).map(file => basename(file, copyOf(''))))
  const read = [...files].filter(file => file.endsWith('.json')).flatMap(file => readIdentity(join(directory, file), warn))
  return new Map(read.map(identity => [identity.node, identity]))
}

function readIdentity(file: string, warn: (fault: string) => void): readonly NodeIdentity[] {
  const { value, fault } = readKept(file, false, content => {
    const found = JSON.parse(content.toString('utf8')) as Partial<NodeIdentity> | null
    if (typeof found?.node !== 'string' || typeof found.sealing !== 'string' || typeof found.nats !== 'string')
      throw new Error('it names no node with its keys')
    return found as NodeIdentity
  })
  if (fault !== '') warn(value === null ? `${fault}; slipway up writes it anew` : fault)
  return value === null ? [] : [value]
}

/** For the command line of this machine: made once, in the keys directory, where only its owner can read it. */
export async function adminToken(file: string, tokens: Awaited<ReturnType<typeof openTokens>>): Promise<void> {
  const there = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  if (there !== '' && tokens.verify(there, 'token') !== null) return
  const { secret } = await tokens.mint('token', 'slipway up', 'admin', tokenLifetimeMs)
  await writeFile(file, `${secret}\n`, { mode: 0o600 })
}
