// slipway projects: declared AppProjects and what they permit; --delete takes one away that no application names.
import { Cli, type Define, type SharedOptions } from './cli.js'

interface Options extends SharedOptions {
  readonly delete?: string
}

interface Project {
  readonly metadata: { readonly name: string }
  readonly spec?: {
    readonly sourceRepos?: readonly string[]
    readonly destinations?: readonly { readonly name?: string; readonly server?: string; readonly namespace?: string }[]
  }
}

export const define: Define = (command, around) => {
  command.option('--delete <name>', 'a project that no application names').action(async (options: Options) => {
    const cli = new Cli(around, options)
    if (options.delete !== undefined) {
      const path = `/api/v1/projects/${encodeURIComponent(options.delete)}`
      const answer = await cli.api.send<{ message: string }>(path, { method: 'DELETE' })
      return cli.show(answer, () => answer.message)
    }
    const { items } = await cli.api.get<{ items: readonly Project[] }>('/api/v1/projects')
    await cli.show({ version: 'v1', items }, () => (items.length === 0 ? none : items.map(line).join('\n')))
  })
}

const none =
  'No project is declared: every application is of `default`, which permits everything. Declare one: slipway apply -f project.yaml'

function line({ metadata, spec }: Project): string {
  const to = (spec?.destinations ?? []).map(one => `${one.name ?? one.server ?? ''}/${one.namespace ?? ''}`)
  return `${metadata.name}   from ${listed(spec?.sourceRepos ?? [])}   to ${listed(to)}`
}

function listed(words: readonly string[]): string {
  return words.length === 0 ? 'nowhere' : words.join(', ')
}
