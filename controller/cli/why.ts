// slipway why APP: one screen: what happened, the evidence, what it likely is, what happens next, what you can do.
import type { ApplicationView, AttemptView } from '../view.js'
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'
import { ago, cut, shortCommit, states, wrapped } from './words.js'

export const define: Define = (command, around) => {
  command.argument('<app>').action(async (app: string, options: SharedOptions) => {
    const cli = new Cli(around, options)
    const view = await cli.api.get<ApplicationView>(applicationPath(app))
    const answer = { version: 'v1', name: view.name, state: view.state, since: view.since, message: view.message, ...view.why }
    await cli.show(answer, () => whyText(view, cli))
  })
}

function whyText(view: ApplicationView, cli: Cli): string {
  const { why } = view
  const blocks = [
    [cli.paint(states[view.state].colour, wrapped(why.headline, cli.columns))],
    why.attempt === null ? [] : evidence(why.attempt, cli),
  ]
  const likely = why.likely === '' ? [] : [wrapped(`Likely: ${why.likely}`, cli.columns, '  ')]
  const next = why.next.flatMap(text => shownLines(text, cli))
  const commands = why.commands.map(line => `    ${cli.paint('bold', line)}`)
  return [...blocks, likely, [...next, ...commands]]
    .filter(block => block.length > 0)
    .map(block => block.join('\n'))
    .join('\n\n')
}

/** Excerpts and log lines keep their columns, and are cut; sentences are wrapped. */
function shownLines(text: string, cli: Cli): readonly string[] {
  const lines = text.split('\n')
  const isQuoted = lines.length > 1 || text.startsWith('| ')
  if (!isQuoted) return [wrapped(text, cli.columns, '  ')]
  return lines.map(line => cli.paint('dim', `    ${cli.columns === 0 ? line : cut(line, cli.columns - 4)}`))
}

function evidence(attempt: AttemptView, cli: Cli): readonly string[] {
  const { release, verdict } = attempt
  const when = ago(release?.committedAt ?? '', cli.api.now())
  const commit =
    release === null
      ? `attempt ${attempt.number}`
      : `${shortCommit(release.commit)}  "${cut(release.subject, 50)}"  ${release.author}${when === '' ? '' : `, ${when}`}`
  const head = `  ${commit}   ${attempt.message}`
  if (verdict === null)
    return [cli.columns > 0 && head.length > cli.columns ? `  ${commit}\n${wrapped(attempt.message, cli.columns, '  ')}` : head]
  const object = verdict.object === null ? '' : `${verdict.object.kind} ${verdict.object.namespace}/${verdict.object.name}: `
  const limit = verdict.limit === '' ? '' : ` (${verdict.limit})`
  return [
    cli.columns > 0 && head.length > cli.columns ? `  ${commit}\n${wrapped(attempt.message, cli.columns, '  ')}` : head,
    wrapped(`${object}${verdict.message}${limit}`, cli.columns, '  '),
    ...verdict.log.map(line => cli.paint('dim', `    | ${cli.columns === 0 ? line : cut(line, cli.columns - 6)}`)),
  ]
}
