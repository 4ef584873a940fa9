// slipway status APP: the sentence, what runs and what is newest, and the objects with their health. Exits 1 when it is not well.
import type { ApplicationView, ObjectView, ReleaseView } from '../view.js'
import { appsTable, noApplications } from './apps.js'
import { applicationPath, Cli, type Define, type Listed, listAll, type SharedOptions } from './cli.js'
import { ago, cut, shortCommit, states, wrapped } from './words.js'

const unwell = ['Failed', 'RolledBack', 'Held', 'Degraded', 'Unknown']

export const define: Define = (command, around) => {
  command.argument('[app]', 'all where none is named').action(async (app: string | undefined, options: SharedOptions) => {
    const cli = new Cli(around, options)
    if (app === undefined) return await all(cli)
    const view = await cli.api.get<ApplicationView>(applicationPath(app))
    const tree = await cli.api.get<Listed<ObjectView>>(applicationPath(app, 'resource-tree'))
    await cli.show({ ...view, objects: tree.items }, () => statusText(view, tree.items, cli))
    if (unwell.includes(view.state)) around.exit(1)
  })
}

async function all(cli: Cli): Promise<void> {
  const list = await listAll<ApplicationView>(cli.api, '/api/v1/applications?sort=attention&limit=1000')
  await cli.show(list, () => (list.items.length === 0 ? noApplications : appsTable(list.items, cli)))
  if (list.items.some(view => unwell.includes(view.state))) cli.around.exit(1)
}

function statusText(view: ApplicationView, tree: readonly ObjectView[], cli: Cli): string {
  const { shape, word, colour } = states[view.state]
  const now = cli.api.now()
  const facts = factsOf(view, now).map(([what, fact]) => `  ${cli.paint('dim', what.padEnd(9))} ${fact}`)
  const objects = tree.flatMap(object => objectLines(object, 1, cli))
  return [
    `${cli.paint(colour, `${shape} ${view.name}   ${word}`)}   ${cli.paint('dim', ago(view.since, now))}`,
    wrapped(view.message, cli.columns),
    '',
    ...facts,
    ...(objects.length === 0 ? [] : ['', ...objects]),
  ].join('\n')
}

function factsOf(view: ApplicationView, now: number): readonly (readonly [string, string])[] {
  const { source, candidate, release } = view
  const facts: (readonly [string, string])[] = [['runs', releaseText(release)]]
  if (candidate !== null && candidate.id !== release?.id) facts.push(['newest', releaseText(candidate)])
  const { revisions } = candidate ?? { revisions: [] }
  if (revisions.length > 1) facts.push(['sources', revisions.map(shortCommit).join(', ')])
  facts.push(
    ['from', `${source.repoURL} ${source.chart || source.path} @ ${source.targetRevision}`],
    ['where', `${view.place}, namespace ${view.namespace}`],
  )
  facts.push(['health', said(view.health)], ['sync', said(view.sync)])
  if (view.pinned !== null) facts.push(['pinned', `to ${view.pinned.to} by ${view.pinned.by}, ${ago(view.pinned.at, now)}`])
  if (view.paused !== null)
    facts.push([
      'paused',
      `by ${view.paused.by}, ${ago(view.paused.at, now)}${view.paused.reason === '' ? '' : `: ${view.paused.reason}`}`,
    ])
  const origin = source.chart === '' ? 'Git' : 'the chart repository'
  if (view.stale !== null) facts.push(['stale', `${origin} was last read ${ago(view.stale.since, now)}: ${view.stale.message}`])
  if (view.asks !== null)
    facts.push(['asks', `before it ${view.asks.act}s ${view.asks.objects.map(nameOf).join(', ')}: slipway approve ${view.name}`])
  for (const warning of view.warnings) facts.push(['warning', warning])
  for (const request of view.requests)
    facts.push(['asked', `${request.kind} by ${request.by}, ${ago(request.at, now)}; not begun yet`])
  return facts
}

function nameOf({ kind, namespace, name }: ObjectView['ref']): string {
  return `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`
}

function releaseText(release: ReleaseView | null): string {
  return release === null
    ? 'nothing yet'
    : [release.number, shortCommit(release.commit), `"${cut(release.subject, 50)}"`, release.author]
        .filter(text => text !== '')
        .join('  ')
}

function said({ status, message }: { readonly status: string; readonly message: string }): string {
  return message === '' ? status : `${status}: ${message}`
}

function objectLines(object: ObjectView, depth: number, cli: Cli): readonly string[] {
  const { kind, name } = object.ref
  const mark = objectMark(object.health.status)
  const extra = [
    object.health.message,
    object.sync === 'OutOfSync' ? 'differs from Git' : object.sync === 'Extra' ? 'no longer in Git' : '',
  ].filter(text => text !== '')
  const line = `${'  '.repeat(depth)}${cli.paint(mark.colour, mark.shape)} ${kind} ${name}${extra.length === 0 ? '' : `   ${cli.paint('dim', extra.join('; '))}`}`
  const drift = object.drift.map(field => `${'  '.repeat(depth + 2)}${cli.paint('amber', driftLine(field))}`)
  return [line, ...drift, ...object.children.flatMap(child => objectLines(child, depth + 1, cli))]
}

/** `spec.replicas: 3, applied was 1   kubectl-edit, 2026-11-21T19:52:32Z` */
function driftLine({ path, live, want, manager, at }: ObjectView['drift'][number]): string {
  const by = [manager, at].filter(text => text !== '').join(', ')
  const change = path === '' ? want : `${path}: ${live || 'taken out'}, applied was ${want || 'nothing'}`
  return by === '' ? change : `${change}   ${by}`
}

function objectMark(health: string): { readonly shape: string; readonly colour: 'green' | 'blue' | 'red' | 'slate' } {
  if (health === 'Healthy') return { shape: '●', colour: 'green' }
  if (health === 'Progressing') return { shape: '◐', colour: 'blue' }
  if (health === 'Degraded' || health === 'Missing') return { shape: '▼', colour: 'red' }
  return { shape: '?', colour: 'slate' }
}
