// Starts the packed program of a render child with what V8 compiled of it while it was built (`trained.mjs`): a new child would spend most of its
// first render compiling. What another V8, or one with other flags, has compiled is not taken; then this one compiles as it goes.
const { existsSync, readFileSync } = require('node:fs')
const { Module } = require('node:module')
const { join } = require('node:path')
const { Script } = require('node:vm')

const program = join(__dirname, 'worker.cjs')
const compiled = join(__dirname, 'worker.cache')

/** Runs the program. `isFresh`: without what was compiled before. */
exports.start = isFresh => {
  const cache = isFresh || !existsSync(compiled) ? {} : { cachedData: readFileSync(compiled) }
  const script = new Script(Module.wrap(readFileSync(program, 'latin1')), { filename: program, ...cache })
  const { exports: own } = { exports: {} }
  script.runInThisContext().call(own, own, Module.createRequire(program), { exports: own }, program, __dirname)
  return script
}

if (require.main === module) exports.start(false)
