// How a controller is started: told by whether its configuration has clusters.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { controllerFlags, hasClusters } from '../../controller/cli/tuning.js'

t.test('a configuration has clusters where it names one', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-tuning-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const cases: readonly (readonly [string | null, boolean])[] = [
    [null, false],
    ['', false],
    ['webhooks: {github: s}\n', false],
    ['clusters: []\n', false],
    ['clusters: {name: prod}\n', false],
    ['clusters: [{name: prod\n', false],
    ['clusters:\n  - {name: prod, kubeconfig: /x}\n', true],
    ['{"clusters": [{"name": "prod"}]}', true],
  ]
  for (const [at, [text, expected]] of cases.entries()) {
    const file = join(directory, `${at}.yaml`)
    if (text !== null) writeFileSync(file, text)
    t.equal(hasClusters(file), expected, String(text))
  }
})

t.test('Node knows the flags, and one with clusters is not slowed down', async t => {
  for (const has of [true, false]) for (const flag of controllerFlags(has)) t.match(flag, /^--[a-z-]+(=\d+)?$/)
  t.ok(controllerFlags(true).includes('--no-optimize-for-size'))
  t.notOk(controllerFlags(true).some(flag => controllerFlags(false).includes(flag)))
  t.ok(controllerFlags(false).includes('--no-sparkplug'))
})
