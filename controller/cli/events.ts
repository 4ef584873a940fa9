// slipway events [APP]: what happened, oldest first as in a log, and with -f what happens.
import type { EventView } from '../view.js'
import { applicationPath, Cli, type Define, type Listed, queryOf, type SharedOptions } from './cli.js'
import { streamed } from './following.js'

interface Options extends SharedOptions {
  readonly limit: string
  readonly follow?: boolean
}

export const define: Define = (command, around) => {
  command
    .argument('[app]', 'all where none is named')
    .option('-n, --limit <count>', 'at most so many', '30')
    .option('-f, --follow', 'go on with what happens')
    .action(async (app: string | undefined, options: Options) => {
      const cli = new Cli(around, options)
      const query = { limit: options.limit }
      const list = await cli.api.get<Listed<EventView>>(
        app === undefined ? `/api/v1/events${queryOf(query)}` : applicationPath(app, 'events', query),
      )
      const told = new Set<string>()
      const tell = async (event: EventView) => {
        if (told.has(event.id)) return
        told.add(event.id)
        await cli.showNext(event, () => eventText(event, cli))
      }
      if (options.follow !== true && cli.format !== 'text') return await cli.show(list, () => '')
      if (list.items.length === 0 && options.follow !== true) cli.print('Nothing happened yet.')
      for (const event of [...list.items].reverse()) await tell(event)
      if (options.follow !== true) return
      for await (const event of streamed(cli.api, app ?? '', around.signal)) {
        if (event.event === 'event') await tell(cli.api.parseEvent<EventView>(event))
      }
    })
}

function eventText(event: EventView, cli: Cli): string {
  return `${cli.paint('dim', event.at)} ${event.application} ${cli.paint('bold', event.what)} ${event.message}`
}
