// slipway login [SERVER]: tries a token and keeps it for the next commands; with --link, prints a link that opens the page once.
import { Cli, type Define, type SharedOptions } from './cli.js'
import { defaultServer, saveContext } from './contexts.js'
import { Failure } from './failure.js'

interface Options extends SharedOptions {
  readonly name?: string
  readonly link?: boolean
}

export const define: Define = (command, around) => {
  command
    .argument('[server]', `such as ${defaultServer}`)
    .option('--name <context>', "under which to keep it; the server's host where none is named")
    .option('--link', 'print a one-time link to the page instead')
    .action(async (server: string | undefined, options: Options) => {
      const given = { ...options, ...(server === undefined ? {} : { server }) }
      if (options.link === true) return await link(new Cli(around, given))
      const token =
        options.token ?? around.env.SLIPWAY_TOKEN ?? (await readToken(around.stdin, around.inIsTerminal, around.complain))
      const cli = new Cli(around, { ...given, token })
      const session = await cli.api.get<{ name: string; role: string }>('/api/v1/session')
      const address = cli.settings.server.value
      const name = options.name ?? new URL(address).host
      saveContext(around.contextFile, { name, server: address, token })
      await cli.show(
        { version: 'v1', context: name, server: address, name: session.name, role: session.role },
        () => `Signed in to ${address} as ${session.name}, who may ${session.role}. Kept as context ${name}.`,
      )
    })
}

async function link(cli: Cli): Promise<void> {
  const answer = await cli.api.send<{ url: string; expiresAt: string }>('/api/v1/login-links', { json: {} })
  await cli.show(answer, () => answer.url)
}

/** The first line of stdin; typed, or piped from where the token is kept. */
async function readToken(stdin: AsyncIterable<Uint8Array>, asks: boolean, complain: (text: string) => void): Promise<string> {
  if (asks) complain('Token: ')
  let text = ''
  for await (const part of stdin) {
    text += Buffer.from(part).toString('utf8')
    if (text.includes('\n')) break
  }
  const token = text.split('\n')[0]?.trim() ?? ''
  if (token === '') throw new Failure(2, 'No token was given.', 'slipway login <server> --token <token>, or pipe it in')
  return token
}
