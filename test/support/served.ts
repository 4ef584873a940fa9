// An application that serves under steady load, for tests of what must not disturb it.
import type { Test } from 'tap'
import { get, startLoad } from '../../examples/demo/load.js'
import { application } from './applications.js'
import { freeNodePort } from './machine.js'
import { lives, startSlipway } from './slipway.js'
import { loadWebImage, type WebOptions, web } from './web.js'

/** Up, healthy behind a node port, and asked 40 times a second. */
export async function servedShop(t: Parameters<typeof startSlipway>[0]) {
  const slipway = await startSlipway(t)
  const { image } = await loadWebImage(slipway)
  const nodePort = await freeNodePort()
  const address = `http://127.0.0.1:${nodePort}/`
  const files = (options: Partial<WebOptions> = {}) => ({ 'web.yaml': web({ image, nodePort, ...options }) })
  const shop = await application(slipway, 'shop')
  const first = await shop.push(files())
  await shop.declare()
  await shop.settled(first, 'Healthy')
  const load = startLoad(address, { clients: 4, rate: 40 })

  /** A release after everything that happened, and what ran before it was touched by nothing else. */
  async function goesOn(t: Test, message: string, before: readonly string[]): Promise<void> {
    t.same(await lives(slipway, 'shop'), before, 'no container was touched')
    const commit = await shop.push(files({ message }))
    await shop.settled(commit, 'Healthy')
    t.equal(await get(address), message)
  }
  return { slipway, image, nodePort, address, files, shop, first, load, goesOn }
}
