// Packs every process of the product into one file each, without what is never called: less to read, started in half the time, and a
// third less memory. CommonJS, since Node's loader of ES modules costs another 2 MB and four threads.
import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const build = fileURLToPath(new URL('../build', import.meta.url))
const lean = `${build}/lean`

const starts = {
  controller: `import { main } from '${build}/controller/main.js'\nvoid main(process.env)\n`,
  runtime: `import { main } from '${build}/runtime/main.js'\nvoid main(process.argv.slice(2), process.env).then(code => { process.exitCode = code })\n`,
  'names/main': `import '${build}/runtime/network/names/main.js'\n`,
  'render/worker': `import '${build}/controller/render/worker.js'\n`,
}

/** What a bundle starts beside itself and is packed too. */
const packed = {
  [`${build}/runtime/network/names/process.js`]: ['./main.js', '../../../lean/names/main.cjs'],
  [`${build}/controller/render/pool.js`]: ['./worker.js', '../../lean/render/start.cjs'],
}

/** The few lines that start a program, which exist in no file. */
function start(name) {
  return {
    name: 'start',
    resolveId: id => (id === `start:${name}` ? id : null),
    load: id => (id === `start:${name}` ? starts[name] : null),
  }
}

/** A module goes on finding the files beside it (`new URL('./worker.js', import.meta.url)`) where they are. */
const places = {
  name: 'places',
  transform(code, id) {
    if (!code.includes('import.meta.url')) return null
    const own = JSON.stringify(relative(lean, id))
    const near = packed[id] === undefined ? code : replaced(code, ...packed[id])
    return { code: near.replaceAll('import.meta.url', `new URL(${own}, import.meta.url).href`), map: null }
  },
}

function replaced(code, from, to) {
  if (!code.includes(from)) throw new Error(`nothing names ${from} any more`)
  return code.replaceAll(from, to)
}

/** A part of a package that is loaded with it, but that we never call. */
const uncalled = what => `module.exports = () => { throw new Error('${what} is not packed: see controller/bundle.mjs') }`

/** What stands in the place of a package's file: the end of its path -> its text. */
const trimmed = {
  // Metrics of Node itself, of clusters, and pushed ones.
  '/prom-client/index.js': `
    Object.assign(exports, { Registry: require('./lib/registry'), Counter: require('./lib/counter') })
    Object.assign(exports, { Gauge: require('./lib/gauge'), Histogram: require('./lib/histogram') })`,
  // The OpenAPI document as YAML.
  '/yaml/dist/index.js': uncalled('YAML for OpenAPI'),
  // Log lines go to standard output, through no thread.
  '/pino/lib/transport.js': uncalled('transports of pino'),
  // Requests that come from no socket.
  '/light-my-request/index.js': uncalled('light-my-request'),
  // A route for each file that is there at the start.
  '/glob/dist/commonjs/index.min.js': `exports.glob = ${uncalled('glob').slice('module.exports = '.length)}`,
}

const trim = {
  name: 'trim',
  load(id) {
    const end = Object.keys(trimmed).find(known => id.endsWith(`/node_modules${known}`))
    if (end === undefined) return null
    left.delete(end)
    return trimmed[end]
  },
}

/** What no bundle has loaded: a package that has moved its files would silently be whole again. */
const left = new Set(Object.keys(trimmed))

/** A source of Latin letters alone lies in memory with one byte a letter; a single other one makes it two for all of them. */
const oneByte = {
  name: 'one-byte',
  generateBundle(_options, bundle) {
    const escaped = letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
    for (const chunk of Object.values(bundle)) chunk.code = chunk.code.replace(/[^\0-\x7f]/g, escaped)
  },
}

for (const name of Object.keys(starts)) {
  const bundle = await rolldown({
    input: `start:${name}`,
    cwd: dirname(build),
    platform: 'node',
    // Of Kubernetes clusters alone: megabytes that a controller of nodes never loads.
    external: ['undici', '@kubernetes/client-node'],
    plugins: [start(name), places, trim, oneByte],
    // The renderer runs in its children: of all its modules the controller keeps the few that it calls.
    treeshake: {
      moduleSideEffects: [
        { test: /\/node_modules\/typebox\//, sideEffects: false },
        { test: /\/build\/renderer\//, sideEffects: false },
      ],
    },
    logLevel: 'warn',
  })
  await bundle.write({
    file: `${lean}/${name}.cjs`,
    format: 'cjs',
    codeSplitting: false,
    // Names stay as they are: a stack in a log is to be understood.
    minify: { compress: true, mangle: { keepNames: { function: true, class: true } }, codegen: { removeWhitespace: true } },
  })
  await bundle.close()
}

if (left.size > 0) throw new Error(`nothing loads ${[...left].join(', ')}: are they elsewhere now?`)

copyFileSync(fileURLToPath(new URL('render/start.cjs', import.meta.url)), `${lean}/render/start.cjs`)
const { childFlags, poolDefaults } = await import(`${build}/controller/render/pool.js`)
const trained = fileURLToPath(new URL('render/trained.mjs', import.meta.url))
execFileSync(process.execPath, [...childFlags(poolDefaults, false), trained], { stdio: ['ignore', 'ignore', 'inherit'] })
