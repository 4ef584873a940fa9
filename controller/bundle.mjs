// Packs what runs for long (controller, runtime) into one file each, without what is never called: less to read, and a third less memory.
// The files of the compiler stay the programs: what a bundle starts beside itself (render children, names) is started from them.
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const build = fileURLToPath(new URL('../build', import.meta.url))
const lean = `${build}/lean`

const starts = {
  controller: `import { main } from '${build}/controller/main.js'\nawait main(process.env)\n`,
  runtime: `import { main } from '${build}/runtime/main.js'\nprocess.exitCode = await main(process.argv.slice(2), process.env)\n`,
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
    return { code: code.replaceAll('import.meta.url', `new URL(${own}, import.meta.url).href`), map: null }
  },
}

/** Of undici we call these; its index also loads a browser's fetch, caches, mocks, proxies and WebSockets: 3 MB of heap. */
const undici = {
  name: 'undici',
  load: id =>
    id.endsWith('/undici/index.js')
      ? `const Dispatcher = require('./lib/dispatcher/dispatcher')
         Object.assign(Dispatcher.prototype, require('./lib/api'))
         exports.Dispatcher = Dispatcher
         exports.Pool = require('./lib/dispatcher/pool')
         exports.Agent = require('./lib/dispatcher/agent')
         exports.errors = require('./lib/core/errors')
         exports.request = (target, { dispatcher, ...options }) => {
           const { origin, pathname, search } = new URL(target)
           return dispatcher.request({ method: 'GET', ...options, origin, path: pathname + search })
         }`
      : null,
}

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
    plugins: [start(name), places, undici, oneByte],
    logLevel: 'warn',
  })
  await bundle.write({
    file: `${lean}/${name}.js`,
    format: 'esm',
    codeSplitting: false,
    // Names stay as they are: a stack in a log is to be understood.
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  })
  await bundle.close()
}
