// slipway approve APP: what is not deleted without a person's word may go now; it is shown first.
import type { ApplicationView } from '../view.js'
import { confirm } from './asking.js'
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'

interface Options extends SharedOptions {
  readonly yes?: boolean
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .option('-y, --yes', 'do not ask')
    .action(async (app: string, options: Options) => {
      const cli = new Cli(around, options)
      const { asks } = await cli.api.get<ApplicationView>(applicationPath(app))
      const objects = (asks?.objects ?? []).map(({ kind, namespace, name }) =>
        [kind, [namespace, name].filter(Boolean).join('/')].join(' '),
      )
      if (asks !== null) await confirm(around, `Delete ${objects.join(', ')}?`, options.yes === true)
      const answer = await cli.api.send<{ message: string }>(applicationPath(app, 'approve'), { json: {} })
      await cli.show(answer, () => answer.message)
    })
}
