// slipway prepare: what `slipway up` writes before it starts a controller, for whoever starts controller and NATS otherwise: a pod.
import { join } from 'node:path'
import { openControllerKeys } from '../../runtime/contract/keys.js'
import { authorizationBlock } from '../../runtime/contract/subjects.js'
import { natsPaths, writeNatsConfiguration } from '../../runtime/nats/server.js'
import { nodeIdentities } from '../joined.js'
import { Cli, type Define, type SharedOptions } from './cli.js'
import { placesOf } from './machine.js'

interface Options extends SharedOptions {
  readonly natsPort: string
}

export const define: Define = (command, around) => {
  command
    .option('--nats-port <port>', 'on which NATS will listen, on loopback', '4222')
    .addHelpText(
      'after',
      '\nKeys that are there stay. Everything lies under SLIPWAY_HOME, private to the user that this runs as.',
    )
  command.action(async (options: Options) => {
    const cli = new Cli(around, options)
    const { layout } = placesOf(around.env)
    const keys = await openControllerKeys(join(layout.keys, 'controller'))
    const nodes = [...nodeIdentities(join(layout.state, 'nodes'), fault => around.complain(`${fault}\n`)).values()]
    await writeNatsConfiguration(
      { syncsAlways: true },
      {
        directory: layout.nats,
        port: Number(options.natsPort),
        authorization: authorizationBlock(keys.nats.public, nodes),
        logsToStdout: true,
      },
    )
    const { config } = natsPaths(layout.nats)
    await cli.show({ version: 'v1', keys: layout.keys, natsConfiguration: config }, () =>
      [`  keys   ${layout.keys}`, `  NATS   nats-server --config ${config}`].join('\n'),
    )
  })
}
