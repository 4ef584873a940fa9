// slipway rollback APP [TO]: goes back to an earlier release and stays there until something newer than today comes.
import { Cli, type Define, type SharedOptions } from './cli.js'
import { request } from './requesting.js'
import { type WaitOptions, waitOptions } from './waiting.js'

interface Options extends SharedOptions, WaitOptions {
  readonly message: string
}

export const define: Define = (command, around) => {
  waitOptions(
    command
      .argument('<app>')
      .argument('[to]', 'r14, an attempt number, a commit; the last good one before where none is named', '')
      .option('-m, --message <why>', 'kept in the history', ''),
  ).action(async (app: string, to: string, options: Options) => {
    const said = `${app} goes back to ${to === '' ? 'its last good release' : to}.`
    await request(new Cli(around, options), app, 'rollback', { to, message: options.message }, said, options)
  })
}
