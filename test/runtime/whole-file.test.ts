import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import t from 'tap'

/** What is asked of the file system, in its order; each call goes on to the real one. */
const calls: string[] = []
const names = new Map<number, string>()
const real = { ...fs }
const last = (path: unknown) => String(path).split('/').at(-1)!

Object.assign(fs, {
  openSync(...asked: Parameters<typeof fs.openSync>) {
    const file = real.openSync(...asked)
    names.set(file, last(asked[0]))
    return file
  },
  fsync(file: number, then: fs.NoParamCallback) {
    calls.push(`flush ${names.get(file)}`)
    real.fsync(file, then)
  },
  writeFileSync(...asked: Parameters<typeof fs.writeFileSync>) {
    calls.push(`write ${names.get(asked[0] as number)}`)
    real.writeFileSync(...asked)
  },
  renameSync(...asked: Parameters<typeof fs.renameSync>) {
    calls.push(`rename ${asked.map(last).join(' ')}`)
    real.renameSync(...asked)
  },
})
syncBuiltinESMExports()
const { copyBeside, dropUnfinished, readKept, replaceFile } = await import('../../runtime/whole-file.js')

t.test('a file takes its name only once its content is on the disk; a durable one keeps it after that', async t => {
  const path = join(t.testdir({ kept: { pod: 'old' } }), 'kept', 'pod')
  const before = ['write pod.new', 'flush pod.new', 'rename pod.new pod']
  const table = [
    [false, before],
    [true, [...before, 'flush kept']],
  ] as const
  for (const [durable, expected] of table) {
    calls.length = 0

    await replaceFile(path, Buffer.from(`durable ${durable}`), durable)

    t.same(calls, expected)
    t.equal(fs.readFileSync(path, 'utf8'), `durable ${durable}`)
  }
})

t.test('what cannot be written leaves what was there, and nothing beside it', async t => {
  const directory = t.testdir({ pod: { inside: '' } })

  await t.rejects(replaceFile(join(directory, 'pod'), Buffer.from('new'), true))

  t.same(fs.readdirSync(directory), ['pod'])
})

t.test('what was being written when its process was killed is taken away, and nothing else', async t => {
  const directory = t.testdir({ 'a.pod': 'a', 'a.pod.new': 'half', 'b.pod.new': 'half', 'c.new': { inside: '' } })

  await dropUnfinished(directory)

  t.same(fs.readdirSync(directory).sort(), ['a.pod', 'c.new'])
})

t.test('a copy that cannot be written is not there at all: one of before says something else', async t => {
  const path = join(t.testdir({ pod: 'new', 'pod.copy': 'old', 'pod.copy.new': { inside: '' } }), 'pod')

  copyBeside(path, Buffer.from('new'))
  t.notOk(fs.existsSync(`${path}.copy`))
  t.same(
    readKept(path, true, content => content.toString()),
    { value: 'new', fault: '' },
  )
  fs.rmSync(path)
  t.same(
    readKept(path, true, content => content.toString()),
    { value: null, fault: '' },
  )
})

t.test('what both of them say is read from the file; a copy alone takes its place', async t => {
  const directory = t.testdir({ pod: 'one', 'pod.copy': 'two' })
  const path = join(directory, 'pod')
  const read = () => readKept(path, true, content => content.toString())

  t.same(read(), { value: 'one', fault: '' })
  fs.rmSync(path)
  t.same(read(), { value: 'two', fault: `${path} is missing; its copy is used` })
  t.equal(fs.readFileSync(path, 'utf8'), 'two')
  t.same(read(), { value: 'two', fault: '' })
})
