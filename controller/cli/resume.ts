// slipway resume APP: goes on after a pause.
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'

export const define: Define = (command, around) => {
  command.argument('<app>').action(async (app: string, options: SharedOptions) => {
    const cli = new Cli(around, options)
    const answer = await cli.api.send<{ message: string }>(applicationPath(app, 'resume'), { json: {} })
    await cli.show(answer, () => answer.message)
  })
}
