import t from 'tap'
import { problemOf } from '../../controller/api/problems.js'
import { RefusedError } from '../../controller/api/service.js'
import { BusDownError } from '../../runtime/nats/bus/connect.js'

for (const [name, error, status, detail] of [
  ['a refusal keeps its words', new RefusedError(409, 'taken', 'shop is being deleted.'), 409, /^shop is being deleted\.$/],
  [
    'what could not be stored says that nothing was changed',
    new BusDownError('no connection to NATS'),
    503,
    /^Nothing was changed: no connection/,
  ],
  ['anything else tells nothing of its inside', new Error('canary'), 500, /log has it under req-1/],
] as const)
  t.test(name, async t => {
    const told = problemOf(error, 'req-1')

    t.match(told, { status, detail })
    t.notMatch(told.detail, /canary/)
  })
