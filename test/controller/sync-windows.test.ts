// When a release may begin: cron on a zone's clock, and what several windows say together.
import t from 'tap'
import { fieldsOf } from '../../controller/fields.js'
import { isTimeZone, lastStart, nextStart, parseSchedule } from '../../controller/sync/schedule.js'
import { isFor, passage, readWindows, type SyncWindow } from '../../controller/sync/windows.js'

const at = (text: string) => Date.parse(text)
const shown = (time: number | null) => (time === null ? null : new Date(time).toISOString().slice(0, 16))

t.test('starts of a schedule', async t => {
  const rows: readonly (readonly [string, string, string, string | null, string | null])[] = [
    ['0 22 * * *', 'UTC', '2026-03-10T21:00Z', '2026-03-09T22:00', '2026-03-10T22:00'],
    ['0 22 * * *', 'UTC', '2026-03-10T22:00Z', '2026-03-10T22:00', '2026-03-11T22:00'],
    ['30 8 * * mon-fri', 'UTC', '2026-03-14T12:00Z', '2026-03-13T08:30', '2026-03-16T08:30'],
    ['*/15 9-10 * * *', 'UTC', '2026-03-10T09:20Z', '2026-03-10T09:15', '2026-03-10T09:30'],
    ['0 0 1 * 1', 'UTC', '2026-03-10T00:00Z', '2026-03-09T00:00', '2026-03-16T00:00'],
    ['0 0 29 2 *', 'UTC', '2026-03-10T00:00Z', '2024-02-29T00:00', '2028-02-29T00:00'],
    ['@daily', 'Europe/Berlin', '2026-03-10T00:00Z', '2026-03-09T23:00', '2026-03-10T23:00'],
    ['0 20 * * *', 'America/Los_Angeles', '2026-07-10T12:00Z', '2026-07-10T03:00', '2026-07-11T03:00'],
    ['30 2 * * *', 'Europe/Berlin', '2026-03-29T12:00Z', '2026-03-28T01:30', '2026-03-30T00:30'],
    ['30 2 25 10 *', 'Europe/Berlin', '2026-10-24T12:00Z', '2025-10-25T00:30', '2026-10-25T00:30'],
    ['0 0 31 2 *', 'UTC', '2026-03-10T00:00Z', null, null],
    ['0 0 * * 7', 'UTC', '2026-03-10T00:00Z', '2026-03-08T00:00', '2026-03-15T00:00'],
  ]
  for (const [text, zone, now, last, next] of rows) {
    const schedule = parseSchedule(text)!
    t.equal(shown(lastStart(schedule, zone, at(now))), last, `${text} ${zone}: the last before ${now}`)
    t.equal(shown(nextStart(schedule, zone, at(now))), next, `${text} ${zone}: the next after ${now}`)
  }
  for (const bad of ['', '* * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '5-1 * * * *', 'x * * * *', '*/0 * * * *', '@often'])
    t.equal(parseSchedule(bad), null, `${JSON.stringify(bad)} is none`)
  t.notOk(isTimeZone('Mars/Olympus'))
})

const window = (change: Partial<SyncWindow>): SyncWindow => ({
  kind: 'allow',
  schedule: '0 22 * * *',
  durationMs: 2 * 3_600_000,
  timeZone: 'UTC',
  applications: [],
  namespaces: [],
  clusters: [],
  andOperator: false,
  manualSync: false,
  description: '',
  ...change,
})
const night = window({})
const noon = window({ schedule: '0 12 * * *', durationMs: 3_600_000 })
const freeze = window({ kind: 'deny', schedule: '0 0 24 12 *', durationMs: 9 * 24 * 3_600_000 })

t.test('what windows say together, to Slipway and to a person, and when they open', async t => {
  const manual = (one: SyncWindow): SyncWindow => ({ ...one, manualSync: true })
  type Row = readonly [string, readonly SyncWindow[], string, boolean, boolean, string]
  const rows: readonly Row[] = [
    ['no window', [], '2026-03-10T21:00Z', true, true, ''],
    ['before an allow', [night], '2026-03-10T21:00Z', false, false, '2026-03-10T22:00'],
    ['within an allow', [night], '2026-03-10T23:59Z', true, true, ''],
    ['at its end', [night], '2026-03-11T00:00Z', false, false, '2026-03-11T22:00'],
    ['before an allow that a person may pass', [manual(night)], '2026-03-10T21:00Z', false, true, '2026-03-10T22:00'],
    ['two allows, one of which a person may pass', [manual(night), noon], '2026-03-10T21:00Z', false, false, '2026-03-10T22:00'],
    ['between two allows', [night, noon], '2026-03-10T11:00Z', false, false, '2026-03-10T12:00'],
    ['within a deny', [freeze], '2026-12-25T12:00Z', false, false, '2027-01-02T00:00'],
    ['within a deny that a person may pass', [manual(freeze)], '2026-12-25T12:00Z', false, true, '2027-01-02T00:00'],
    ['outside a deny', [freeze], '2026-12-23T12:00Z', true, true, ''],
    ['a deny wins over an allow', [freeze, night], '2026-12-25T23:00Z', false, false, '2027-01-02T22:00'],
    ['outside a deny and an allow', [freeze, night], '2026-03-10T12:00Z', false, false, '2026-03-10T22:00'],
  ]
  for (const [name, windows, now, byItself, asked, until] of rows) {
    const said = passage(windows, false, at(now))
    t.equal(said.allowed, byItself, `${name}: by itself`)
    t.equal(passage(windows, true, at(now)).allowed, asked, `${name}: asked for`)
    t.equal(said.allowed ? '' : shown(said.until), until, `${name}: opens`)
  }
  t.match(passage([freeze], false, at('2026-12-25T12:00Z')), { message: /denies syncs \("0 0 24 12 \*" UTC, 216 h\)/ })
})

t.test('whom a window is for', async t => {
  const shop = { name: 'shop-web', namespace: 'shop', clusters: ['prod', 'https://10.0.0.1'] }
  const rows: readonly (readonly [Partial<SyncWindow>, boolean])[] = [
    [{}, false],
    [{ applications: ['*'] }, true],
    [{ applications: ['shop-*', 'x'] }, true],
    [{ applications: ['web'] }, false],
    [{ namespaces: ['shop'] }, true],
    [{ clusters: ['https://10.0.0.1'] }, true],
    [{ clusters: ['https://1000000.1'] }, false],
    [{ applications: ['web'], namespaces: ['shop'] }, true],
    [{ applications: ['web'], namespaces: ['shop'], andOperator: true }, false],
    [{ applications: ['shop-w?b'], namespaces: ['shop'], andOperator: true }, true],
  ]
  for (const [change, expected] of rows) t.equal(isFor(window(change), shop), expected, JSON.stringify(change))
})

t.test('a declaration of windows is read strictly', async t => {
  const read = (windows: unknown) => {
    const spec = fieldsOf({ syncWindows: windows }, 'spec', [], null)
    return { windows: readWindows(spec, 'syncWindows'), faults: spec.faults.map(({ pointer }) => pointer) }
  }
  t.match(read([{ kind: 'deny', schedule: '0 22 * * *', duration: '1h30m', timeZone: 'Europe/Berlin', manualSync: true }]), {
    windows: [{ kind: 'deny', durationMs: 5_400_000, timeZone: 'Europe/Berlin', manualSync: true }],
    faults: [],
  })
  t.same(read([{ kind: 'maybe', schedule: 'often', timeZone: 'Mars', extra: 1 }]).faults.toSorted(), [
    'spec.syncWindows[0].duration',
    'spec.syncWindows[0].extra',
    'spec.syncWindows[0].kind',
    'spec.syncWindows[0].schedule',
    'spec.syncWindows[0].timeZone',
  ])
})
