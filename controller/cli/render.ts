// slipway render APP: the objects that its newest candidate, or any release, consists of; values of Secrets masked.
import { applicationPath, Cli, type Define, type Listed, type SharedOptions, yamlOf } from './cli.js'

interface Options extends SharedOptions {
  readonly release: string
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .option('--release <release>', 'r14, an id, a commit, or live; the newest where none is named', '')
    .action(async (app: string, options: Options) => {
      const cli = new Cli(around, options)
      const list = await cli.api.get<Listed<unknown>>(applicationPath(app, 'manifests', { release: options.release }))
      if (cli.format === 'json') return await cli.show(list, () => '')
      for (const manifest of list.items) cli.print(`---\n${await yamlOf(manifest)}`)
    })
}
