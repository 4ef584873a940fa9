// slipway rotate APP [KEY...]: makes kept passwords, keys and certificates anew; without a key it lists them.
import { randomUUID } from 'node:crypto'
import type { StickyView } from '../sticky/view.js'
import { applicationPath, Cli, type Define, type Listed, type SharedOptions } from './cli.js'
import { durationOf, type WaitOptions, waitFor, waitOptions } from './waiting.js'
import { age, table } from './words.js'

interface Options extends SharedOptions, WaitOptions {
  readonly all?: boolean
}

export const define: Define = (command, around) => {
  waitOptions(
    command
      .argument('<app>')
      .argument('[keys...]', 'what to make anew: its key, Secret/db, Secret/db:password, templates/db.yaml; none = list them')
      .option('--all', 'everything that is kept'),
  ).action(async (app: string, keys: readonly string[], options: Options) => {
    const cli = new Cli(around, options)
    if (keys.length > 0 || options.all === true) return rotate(cli, app, keys, options)
    const list = await cli.api.get<Listed<StickyView>>(applicationPath(app, 'sticky'))
    await cli.show(list, () =>
      list.items.length === 0 ? `The chart of ${app} makes nothing that is kept.` : keptTable(list.items, cli),
    )
  })
}

async function rotate(cli: Cli, app: string, keys: readonly string[], options: Options): Promise<void> {
  const timeoutMs = durationOf(options.timeout)
  const answer = await cli.api.send<{ version: 'v1'; request: string; rotated: readonly string[] }>(
    applicationPath(app, 'rotate'),
    {
      json: { keys, all: options.all === true },
      headers: { 'idempotency-key': randomUUID() },
    },
  )
  if (options.wait === true) return waitFor(cli, app, { request: answer.request, commit: '' }, timeoutMs)
  const many = answer.rotated.length === 1 ? '1 value' : `${answer.rotated.length} values`
  await cli.show(answer, () => `${many} of ${app} made anew.  Follow it with:  slipway wait ${app}`)
}

function keptTable(views: readonly StickyView[], cli: Cli): string {
  const now = cli.api.now()
  const rows = views.map(({ id, function: name, places, file, label, at, expires, used }) => [
    id,
    name,
    age(at, now),
    expires.slice(0, 10),
    [
      places[0] ?? `${file} ${label}`.trim(),
      ...(places.length > 1 ? [`and ${places.length - 1} more`] : []),
      ...(used ? [] : ['(unused)']),
    ].join(' '),
  ])
  return table(['KEY', 'MADE BY', 'AGE', 'EXPIRES', 'WHERE'], rows, cli.paint, cli.columns)
}
