// Whose an object is, when several applications name it.
import t from 'tap'
import { Owners } from '../../controller/owners.js'
import { type ObjectRef, refKey } from '../../runtime/contract/manifest.js'

const ref = (name: string): ObjectRef => ({ group: '', kind: 'ConfigMap', namespace: 'shop', name })
const [a, b] = [refKey(ref('a')), refKey(ref('b'))]

t.test('of two that are about to run one object, the first may', async t => {
  const owners = new Owners()
  owners.claim('node/lab', 'one', 'r1', () => [ref('a')])
  owners.claim('node/lab', 'two', 'r2', () => [ref('a'), ref('b')])

  t.equal(owners.ownerOf('node/lab', a, 'two'), 'one')
  t.equal(owners.ownerOf('node/lab', a, 'one'), null)
  t.equal(owners.ownerOf('node/lab', b, 'one'), 'two')
  t.equal(owners.ownerOf('node/other', a, 'two'), null, 'elsewhere it is another object')

  owners.claim('node/lab', 'one', '', () => [])
  t.equal(owners.ownerOf('node/lab', a, 'two'), null, 'not wanted any more')
  owners.claim('node/lab', 'two', 'r3', () => [ref('a')])
  t.equal(owners.ownerOf('node/lab', a, 'one'), 'two')
  t.equal(owners.ownerOf('node/lab', b, 'one'), null, 'of another release it wants less')
})

t.test('who runs it has it, whoever wants it', async t => {
  const owners = new Owners()
  owners.claim('node/lab', 'one', 'r1', () => [ref('a')])
  owners.own('node/lab', 'two', [ref('a')])

  t.equal(owners.ownerOf('node/lab', a, 'one'), 'two')
  owners.own('node/lab', 'two', [])
  t.equal(owners.ownerOf('node/lab', a, 'two'), 'one')
  owners.forget('node/lab', 'one')
  t.equal(owners.ownerOf('node/lab', a, 'two'), null)
})

t.test('what is left behind at a former place stays its own there', async t => {
  const owners = new Owners()
  owners.own('node/lab', 'one', [ref('a')])
  owners.own('node/new', 'one', [ref('a')])

  t.equal(owners.ownerOf('node/lab', a, 'two'), 'one')
})

t.test('what a release names is asked for once', async t => {
  const owners = new Owners()
  let asked = 0
  const refs = () => {
    asked += 1
    return [ref('a')]
  }
  for (let look = 0; look < 3; look += 1) owners.claim('node/lab', 'one', 'r1', refs)

  t.equal(asked, 1)
})
