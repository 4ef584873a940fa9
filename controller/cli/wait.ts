// slipway wait APP: until it is healthy (0), or will not be (1); shows its progress.
import { Cli, type Define, type SharedOptions } from './cli.js'
import { durationOf, waitFor } from './waiting.js'

interface Options extends SharedOptions {
  readonly timeout: string
  readonly commit: string
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .option('--commit <sha>', 'wait until this commit (or its beginning) was seen, then for its end', '')
    .option('--timeout <time>', 'how long to wait: 90s, 10m, 1h', '10m')
    .action(async (app: string, options: Options) => {
      await waitFor(new Cli(around, options), app, { request: '', commit: options.commit }, durationOf(options.timeout))
    })
}
