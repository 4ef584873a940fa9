// Joining: writes down which controller this node obeys, makes the node's own keys, and says who the node is.
import { access, mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigFault, type Joined, parseJoined } from './config.js'
import { type NodeIdentity, type NodeKeys, nodeIdentity, openNodeKeys } from './contract/keys.js'

function keysDir(stateDir: string): string {
  return join(stateDir, 'keys')
}

/** `value` is what the controller says (`Joined` as JSON). Keys that are there are kept: joining again is harmless. */
export async function joinController(
  stateDir: string,
  value: unknown,
): Promise<{ readonly identity: NodeIdentity; readonly faults: readonly string[] }> {
  const joined = parseJoined(value, 'what the controller said')
  await mkdir(keysDir(stateDir), { recursive: true, mode: 0o700 })
  const keys = await openNodeKeys(keysDir(stateDir))
  await writeJoined(join(stateDir, 'node.json'), joined)
  return { identity: nodeIdentity(joined.node, keys), faults: keys.faults }
}

async function writeJoined(path: string, joined: Joined): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(joined, null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}

/** The keys made at joining. Throws ConfigFault without them: new ones would be nobody's. */
export async function readNodeKeys(stateDir: string): Promise<NodeKeys> {
  const seed = join(keysDir(stateDir), 'nats.seed')
  await access(seed).catch(cause => {
    throw new ConfigFault(`${seed} is missing: this node has no credentials for NATS; join it again (slipway up does)`, { cause })
  })
  return openNodeKeys(keysDir(stateDir))
}
