// slipway tokens: what programs sign in with; a token is shown once, when it is made.
import { Cli, type Define, type Listed, type SharedOptions } from './cli.js'
import { Failure } from './failure.js'
import { age, table } from './words.js'

interface CreateOptions extends SharedOptions {
  readonly role: string
  readonly days: string
}

interface Token {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly createdAt: string
  readonly expiresAt: string
}

export const define: Define = (command, around) => {
  command
    .command('list', { isDefault: true })
    .description('without their secrets')
    .action(async (options: SharedOptions) => {
      const cli = new Cli(around, options)
      const list = await cli.api.get<Listed<Token>>('/api/v1/tokens')
      const rows = list.items.map(token => [
        token.name,
        token.role,
        age(token.createdAt, cli.api.now()),
        token.expiresAt.slice(0, 10),
        token.id,
      ])
      await cli.show(list, () => table(['NAME', 'MAY', 'AGE', 'EXPIRES', 'ID'], rows, cli.paint, 0))
    })
  command
    .command('create')
    .description('prints the token, this once')
    .argument('<name>', 'whose it is')
    .option('--role <role>', 'read, write or admin', 'write')
    .option('--days <days>', 'how long it holds', '365')
    .action(async (name: string, options: CreateOptions) => {
      const cli = new Cli(around, options)
      const expiresInDays = Number(options.days)
      if (!(expiresInDays > 0)) throw new Failure(2, `--days ${options.days} is no number of days.`)
      const made = await cli.api.send<{ token: string }>('/api/v1/tokens', { json: { name, role: options.role, expiresInDays } })
      await cli.show(made, () => made.token)
    })
  command
    .command('revoke')
    .description('worth nothing from now on')
    .argument('<id>')
    .action(async (id: string, options: SharedOptions) => {
      const cli = new Cli(around, options)
      const answer = await cli.api.send<{ message: string }>(`/api/v1/tokens/${encodeURIComponent(id)}`, { method: 'DELETE' })
      await cli.show(answer, () => answer.message)
    })
}
