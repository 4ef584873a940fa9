// slipway retry APP: lifts the mark of a bad release and tries it again, with fresh pods.
import { Cli, type Define, type SharedOptions } from './cli.js'
import { request } from './requesting.js'
import { type WaitOptions, waitOptions } from './waiting.js'

export const define: Define = (command, around) => {
  waitOptions(command.argument('<app>').argument('[release]', 'r14, an id, a commit; the newest where none is named', '')).action(
    async (app: string, release: string, options: SharedOptions & WaitOptions) => {
      await request(new Cli(around, options), app, 'retry', { release }, `${app} is being tried again.`, options)
    },
  )
}
