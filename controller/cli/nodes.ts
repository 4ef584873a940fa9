// slipway nodes: the machines, whether they are heard, and how full they are.
import type { NodeView } from '../view.js'
import { Cli, type Define, type Listed, type SharedOptions } from './cli.js'
import { age, type Cell, table } from './words.js'

export const define: Define = (command, around) => {
  command.action(async (options: SharedOptions) => {
    const cli = new Cli(around, options)
    const list = await cli.api.get<Listed<NodeView>>('/api/v1/nodes')
    await cli.show(list, () =>
      list.items.length === 0 ? 'No node has joined yet. Make this machine one:  slipway up' : nodesTable(list.items, cli),
    )
    if (list.items.some(node => !node.ready)) around.exit(1)
  })
}

function nodesTable(nodes: readonly NodeView[], cli: Cli): string {
  const rows = nodes.map((node): readonly (string | Cell)[] => {
    const { capacity, allocated } = node
    const colour = node.ready ? 'green' : 'red'
    const trouble = node.conditions
      .filter(condition => condition.message !== '')
      .map(condition => `${condition.type}: ${condition.message}`)
    return [
      { text: node.ready ? '●' : '▼', colour },
      node.name,
      { text: node.ready ? 'Ready' : 'Not ready', colour },
      age(node.lastSeen, cli.api.now()),
      String(node.applications),
      `${node.pods}/${capacity.pods}`,
      `${(allocated.cpuMillis / 1000).toFixed(1)}/${(capacity.cpuMillis / 1000).toFixed(1)}`,
      `${gibi(allocated.memoryBytes)}/${gibi(capacity.memoryBytes)}`,
      trouble.join('; '),
    ]
  })
  return table(['', 'NODE', 'STATE', 'SEEN', 'APPS', 'PODS', 'CPU', 'MEMORY GiB', ''], rows, cli.paint, cli.columns)
}

function gibi(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1)
}
