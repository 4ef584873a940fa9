// slipway restore FILE: takes a backup back.
import { readFileSync } from 'node:fs'
import { confirm } from './asking.js'
import { Cli, type Define, type SharedOptions } from './cli.js'
import { Failure } from './failure.js'

interface Options extends SharedOptions {
  readonly yes?: boolean
  readonly force?: boolean
}

export const define: Define = (command, around) => {
  command
    .argument('<file>')
    .option('--force', 'keys and tokens too, where those that are there are others')
    .option('-y, --yes', 'do not ask')
    .action(async (file: string, options: Options) => {
      const cli = new Cli(around, options)
      const bytes = read(file)
      await confirm(around, `Put what ${file} holds in place of what ${cli.settings.server.value} keeps?`, options.yes === true)
      const answer = await cli.api.send<{ message: string }>(`/api/v1/restore${options.force === true ? '?force=true' : ''}`, {
        bytes,
      })
      await cli.show(answer, () => answer.message)
    })
}

function read(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new Failure(2, `${file}: cannot be read: ${(error as Error).message}`, '', { cause: error })
  }
}
