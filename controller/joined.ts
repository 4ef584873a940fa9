// What `slipway up` and the controller leave for one another on this machine: the public keys of nodes, the first token.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeIdentity } from '../runtime/contract/keys.js'
import { type openTokens, tokenLifetimeMs } from './api/tokens.js'

/** The nodes that `slipway up` joined on this machine: their public keys, one file each. */
export function nodeIdentities(directory: string): ReadonlyMap<string, NodeIdentity> {
  if (!existsSync(directory)) return new Map()
  const files = readdirSync(directory).filter(file => file.endsWith('.json'))
  const read = files.map(file => JSON.parse(readFileSync(join(directory, file), 'utf8')) as NodeIdentity)
  return new Map(read.map(identity => [identity.node, identity]))
}

/** For the command line of this machine: made once, in the keys directory, where only its owner can read it. */
export async function adminToken(file: string, tokens: Awaited<ReturnType<typeof openTokens>>): Promise<void> {
  const there = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  if (there !== '' && tokens.verify(there, 'token') !== null) return
  const { secret } = await tokens.mint('token', 'slipway up', 'admin', tokenLifetimeMs)
  await writeFile(file, `${secret}\n`, { mode: 0o600 })
}
