// Has a render child render charts of our own, and keeps what V8 compiled for that beside its program: `node trained.mjs`, with the flags of a
// render child. What is compiled depends on them.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

const root = fileURLToPath(new URL('../../', import.meta.url))
const child = join(root, 'build/lean/render')

/** The folder of a chart, and value files of it: those that switch on most. */
const charts = [
  ['controller/render/trained'],
  ...['web', 'worker', 'cron', 'stateful'].flatMap(name =>
    readdirSync(join(root, 'charts', name, 'ci')).map(file => [`charts/${name}`, `charts/${name}/ci/${file}`]),
  ),
]

function filesOf(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .map(name => ({ path: String(name), file: join(root, folder, String(name)) }))
    .filter(({ file }) => statSync(file).isFile())
    .map(({ path, file }) => ({ path, content: readFileSync(file) }))
}

/** As a pool sends it: content by its id, and what the child does not hold yet. */
function jobOf(files, valueFiles) {
  const named = files.map(({ path, content }) => ({ path, content, oid: createHash('sha1').update(content).digest('hex') }))
  return {
    files: named.map(({ path, oid }) => ({ path, content: oid })),
    blobs: named.map(({ oid, content }) => [oid, content]),
    options: {
      directory: { recurse: true, include: '', exclude: '' },
      release: { name: 'trained', namespace: 'default' },
      capabilities: { kubeVersion: 'v1.33.0', apiVersions: [] },
      valueFiles: valueFiles.map(name => ({ name, bytes: readFileSync(join(root, name)) })),
      ignoreMissingValueFiles: false,
      values: {},
      parameters: valueFiles.length === 0 ? [{ name: 'global.parameter', value: '1' }] : [],
    },
    kept: { salt: 'trained', values: {}, answers: {} },
  }
}

const answers = []
process.send = answer => answers.push(answer) > 0
const script = createRequire(import.meta.url)(join(child, 'start.cjs')).start(true)
const manifest = Buffer.from('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: trained\ndata:\n  a: "1"\n')
const jobs = [
  ...charts.map(([folder, ...valueFiles]) => jobOf(filesOf(folder), valueFiles)),
  jobOf([{ path: 'config.yaml', content: manifest }], []),
]
for (const job of jobs) process.emit('message', job)
const rendered = answers.filter(answer => answer !== 'ready').map(answer => JSON.parse(answer).result)
for (const { error } of rendered) if (error !== undefined) throw new Error(error.message)
if (rendered.length !== jobs.length) throw new Error(`of ${jobs.length} renders there are ${rendered.length} answers`)
// A render that was long at work has changed how soon V8 optimizes (late.ts), and with other flags it would not be taken.
for (const flag of process.execArgv) if (/^--(interrupt-budget|invocation-count)/.test(flag)) setFlagsFromString(flag)
writeFileSync(join(child, 'worker.cache'), script.createCachedData())
process.removeAllListeners('disconnect')
