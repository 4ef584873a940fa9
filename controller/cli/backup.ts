// slipway backup [FILE]: everything that Slipway keeps, into a file (0600) or, with -, to stdout.
import { createWriteStream, rmSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Cli, type Define, type SharedOptions } from './cli.js'
import { Failure } from './failure.js'

export const define: Define = (command, around) => {
  command.argument('<file>', 'must not exist yet; - for stdout').action(async (file: string, options: SharedOptions) => {
    const cli = new Cli(around, options)
    const archive = await cli.api.open('/api/v1/backup', { signal: around.signal })
    if (file === '-') {
      for await (const part of archive) around.write(part as Uint8Array)
      return
    }
    let bytes = 0
    archive.on('data', part => {
      bytes += part.length
    })
    // 'wx': a backup never overwrites another; half of one is removed.
    await pipeline(archive, createWriteStream(file, { flags: 'wx', mode: 0o600 })).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw new Failure(2, `${file} is there already; choose another name.`)
      rmSync(file, { force: true })
      throw new Failure(2, `${file}: the backup broke off: ${error.message}`, '', { cause: error })
    })
    await cli.show({ version: 'v1', file, bytes }, () => `${file}: ${bytes} bytes. It holds the keys: keep it as you keep those.`)
  })
}
