// The engine's volume of a claim. What it is the volume of is said by its labels: a name like `slipway-shop-web-data` may mean two.
import type { Docker } from './client.js'
import type { VolumeInspected } from './shapes.js'

/** Found, or made with these labels as well. Its data outlives pods, applications and instances: none of them is part of what it is. */
export async function volumeOfClaim(
  { volumes }: Pick<Docker, 'volumes'>,
  namespace: string,
  claim: string,
  labels: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<VolumeInspected> {
  const own = { 'slipway.namespace': namespace, 'slipway.claim': claim }
  const known = (
    await volumes.list(
      Object.entries(own).map(pair => pair.join('=')),
      signal,
    )
  ).filter(each => isOf(each, own))
  const plain = `slipway-${namespace}-${claim}`
  const there = known.find(({ Name }) => Name === plain) ?? known[0]
  if (there !== undefined) return there
  const made = await volumes.create(plain, { ...labels, ...own }, signal)
  if (isOf(made, own)) return made
  // Claim `data` of `shop-web` came after `web-data` of `shop`.
  return volumes.create(`slipway-${namespace}_${claim}`, { ...labels, ...own }, signal)
}

/** One without labels was put there by hand, under the name that it has here. */
function isOf({ Labels }: VolumeInspected, own: Readonly<Record<string, string>>): boolean {
  return Object.entries(own).every(([name, value]) => (Labels?.[name] ?? value) === value)
}
