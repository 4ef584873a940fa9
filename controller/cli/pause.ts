// slipway pause APP: nothing of it is touched until resumed.
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'

interface Options extends SharedOptions {
  readonly reason: string
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .option('-m, --reason <why>', 'shown to everyone', '')
    .action(async (app: string, options: Options) => {
      const cli = new Cli(around, options)
      const answer = await cli.api.send<{ message: string }>(applicationPath(app, 'pause'), { json: { reason: options.reason } })
      await cli.show(answer, () => answer.message)
    })
}
