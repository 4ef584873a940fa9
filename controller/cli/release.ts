// slipway release APP --keep-objects: the way back. Nobody here answers for what runs any more; it goes on, and Argo CD with it.
import { confirm } from './asking.js'
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'
import { Failure } from './failure.js'

interface Options extends SharedOptions {
  readonly keepObjects?: boolean
  readonly yes?: boolean
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .option('--keep-objects', 'everything that it runs goes on as it is')
    .option('-y, --yes', 'do not ask')
    .action(async (app: string, options: Options) => {
      const cli = new Cli(around, options)
      if (options.keepObjects !== true)
        throw new Failure(
          2,
          'Say what becomes of what it runs.',
          `slipway release ${app} --keep-objects   or: slipway delete ${app} --cascade`,
        )
      await confirm(around, `Let ${app} go, and leave what it runs?`, options.yes === true)
      const answer = await cli.api.send<{ message: string }>(applicationPath(app, 'hand-back'))
      await cli.show(answer, () => answer.message)
    })
}
