// `npm run fuzz:renderer`, Handlebars: generated templates through the package and through us, from a first seed on, as many as asked.
import { difference } from './compare.js'

const [first = 0, count = 20_000] = process.argv.slice(2).map(Number)
let failed = 0
for (let seed = first; seed < first + count && failed < 10; seed++) {
  const found = difference(seed)
  if (found === null) continue
  failed++
  console.log(`seed ${seed}\n${JSON.stringify(found, null, 2)}`)
}
console.log(`handlebars: ${failed === 0 ? 'no divergence' : `${failed} divergences`} from seed ${first} on`)
process.exitCode = failed > 0 ? 1 : 0
