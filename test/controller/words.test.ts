import t from 'tap'
import { ago, likelyCause, prose, span } from '../../controller/words.js'

t.test('spans are one unit, as people say it', async t => {
  for (const [ms, text] of [
    [0, '0 s'],
    [300, '0.3 s'],
    [2000, '2 s'],
    [2500, '2.5 s'],
    [42_900, '42 s'],
    [119_000, '119 s'],
    [180_000, '3 min'],
    [7_200_000, '2 h'],
    [172_800_000, '2 d'],
  ] as const)
    t.equal(span(ms), text)
  t.equal(ago(12_345), '12 s ago')
})

t.test('clauses become sentences once', async t => {
  t.equal(prose('4f2a91c is bad', '', 'push a fix.'), '4f2a91c is bad. Push a fix.')
})

t.test('names at the beginning of a sentence stay as they are, and a command at its end can be copied', async t => {
  for (const [clause, text] of [
    ['templates/web.hbs:8:15: undefined value', 'templates/web.hbs:8:15: undefined value.'],
    ['deabcfe (r1) runs', 'deabcfe (r1) runs.'],
    ['web-1 exited', 'web-1 exited.'],
    ["it's late", "It's late."],
    ['release it: slipway sync shop', 'Release it: slipway sync shop'],
    ['no difference', 'No difference.'],
  ] as const)
    t.equal(prose(clause), text)
})

t.test('a name that no Service has is guessed from the log, with its neighbours', async t => {
  const services = [
    { namespace: 'shop', name: 'cache-redis' },
    { namespace: 'other', name: 'cache' },
  ]

  t.equal(
    likelyCause(['connecting to cache:6379', 'Error: getaddrinfo ENOTFOUND cache'], 'shop', services),
    'no Service "cache" in namespace shop. There is "cache-redis" (shop), "cache" (other).',
  )
  t.equal(likelyCause(["wget: bad address 'db:5432'"], 'shop', services), 'no Service "db" in namespace shop.')
  t.equal(likelyCause(['getaddrinfo ENOTFOUND cache.other.svc.cluster.local'], 'shop', services), '')
  t.equal(likelyCause(['exit 1'], 'shop', services), '')
})
