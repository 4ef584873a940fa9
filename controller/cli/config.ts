// slipway config view: which server and token would be used, and where each comes from. Never shows a token.
import { Cli, type Define, type SharedOptions } from './cli.js'
import { readContexts } from './contexts.js'
import { table } from './words.js'

export const define: Define = (command, around) => {
  command
    .command('view', { isDefault: true })
    .description('what would be used, and where it comes from')
    .action(async (options: SharedOptions) => {
      const cli = new Cli(around, options)
      const { server, token, context } = cli.settings
      const shown = { server, token: { ...token, value: token.value === '' ? '' : 'set, not shown' }, context }
      const contexts = readContexts(around.contextFile).contexts.map(({ name, server }) => ({ name, server }))
      const rows = Object.entries(shown).map(([what, { value, origin }]) => [what, value || '-', origin])
      await cli.show({ version: 'v1', ...shown, contexts }, () => table(['SETTING', 'VALUE', 'FROM'], rows, cli.paint, 0))
    })
}
