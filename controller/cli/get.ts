// slipway get APP: the declaration as it was given.
import { applicationPath, Cli, type Define, type SharedOptions, yamlOf } from './cli.js'

export const define: Define = (command, around) => {
  command.argument('<app>').action(async (app: string, options: SharedOptions) => {
    const cli = new Cli(around, options)
    const manifest = await cli.api.get<unknown>(applicationPath(app, 'declaration'))
    const text = cli.format === 'text' ? await yamlOf(manifest) : ''
    await cli.show(manifest, () => text)
  })
}
