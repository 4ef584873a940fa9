import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { alone } from '../../runtime/alone.js'

const code = fileURLToPath(new URL('../../runtime/alone.js', import.meta.url))

test('one process at a time: the next waits, and has it as soon as the holder is killed', async t => {
  const what = `test ${randomUUID()}`
  const script = `import { alone } from ${JSON.stringify(code)}
    await alone(${JSON.stringify(what)}, () => {})
    console.log('held')
    setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  const seen: string[] = []
  const had = alone(what, () => {
    seen.push('waiting')
    holder.kill('SIGKILL')
  }).then(release => {
    seen.push('held')
    return release
  })

  const release = await had
  t.same(seen, ['waiting', 'held'])
  release()
  const again = await alone(what, () => t.fail('given back, it is free'))
  again()
})
