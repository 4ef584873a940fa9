// slipway logs APP [POD]: the last lines of its containers, and with -f what comes.
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'

interface Options extends SharedOptions {
  readonly container: string
  readonly follow?: boolean
  readonly tail: string
  readonly previous?: boolean
  readonly timestamps?: boolean
}

interface Line {
  readonly at: string
  readonly pod: string
  readonly container: string
  readonly text: string
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .argument('[pod]', 'one pod only', '')
    .option('-c, --container <name>', 'one container only', '')
    .option('-f, --follow', 'go on with what comes')
    .option('--tail <lines>', 'how many of the last lines', '100')
    .option('-p, --previous', 'of the container before the present one')
    .option('-t, --timestamps', 'the time before each line')
    .action(async (app: string, pod: string, options: Options) => {
      const cli = new Cli(around, options)
      const { container, tail, follow, previous } = options
      const path = applicationPath(app, 'logs', { pod, container, tail, follow, previous })
      for await (const line of cli.api.lines<Line>(path, { signal: around.signal })) {
        await cli.showNext(line, () => lineText(line, cli, options.timestamps === true))
      }
    })
}

function lineText(line: Line, cli: Cli, timestamps: boolean): string {
  const time = timestamps ? `${line.at} ` : ''
  return `${cli.paint('dim', `${time}${line.pod}/${line.container}`)} ${line.text.replace(/\n$/, '')}`
}
