// Where both mean the same, our evaluator writes what the handlebars package writes. `npm run fuzz:renderer` goes through many more seeds.
import t from 'tap'
import { difference } from '../fuzz/handlebars/compare.js'

t.test('generated templates come to what the package makes of them', async t => {
  for (let seed = 0; seed < 400; seed++) t.same(difference(seed), null, `seed ${seed}`)
})
