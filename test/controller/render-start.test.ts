// The packed render child (`npm run compile` makes it) starts with what V8 compiled of it before, and without that where it cannot be used.
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { childFlags, poolDefaults } from '../../controller/render/pool.js'

const packed = fileURLToPath(new URL('../../lean/render', import.meta.url))
const flags = childFlags(poolDefaults, false)

/** As a pool starts it; its answer to a job with one file. */
async function firstAnswer(folder: string): Promise<string> {
  const child = fork(join(folder, 'start.cjs'), [], { execArgv: flags, serialization: 'advanced' })
  try {
    const [ready] = (await once(child, 'message')) as [unknown]
    if (ready !== 'ready') throw new Error('the child does not say that it is ready')
    child.send(job)
    const [answer] = (await once(child, 'message')) as [string]
    return answer
  } finally {
    child.kill()
  }
}

const job = {
  files: [{ path: 'config.yaml', content: Buffer.from('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n') }],
  blobs: [],
  options: {
    directory: { recurse: false, include: '', exclude: '' },
    release: { name: 'web', namespace: 'default' },
    capabilities: { kubeVersion: 'v1.31.0', apiVersions: [] },
    valueFiles: [],
    ignoreMissingValueFiles: false,
    values: {},
    parameters: [],
  },
  kept: { salt: '', values: {}, answers: {} },
}

t.test('what was compiled while it was built is taken by a child with the flags of the pool', async t => {
  const program = `
    process.send = () => true
    const script = require(${JSON.stringify(join(packed, 'start.cjs'))}).start(false)
    console.log(String(script.cachedDataRejected))
    process.removeAllListeners('disconnect')
    process.exit(0)`
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '-e', program])

  t.equal(stdout.trim(), 'false')
})

t.test('a child starts without it, and with what another V8 compiled', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-start-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const file of ['start.cjs', 'worker.cjs']) copyFileSync(join(packed, file), join(folder, file))

  t.match(await firstAnswer(folder), '"name":"one"')
  writeFileSync(join(folder, 'worker.cache'), Buffer.alloc(1000, 7))
  t.match(await firstAnswer(folder), '"name":"one"')
})
