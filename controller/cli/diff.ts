// slipway diff APP [FROM] [TO]: from what runs to the newest, or between any two releases. Exits 1 when something differs.
import type { DiffView } from '../view.js'
import { applicationPath, Cli, type Define, type SharedOptions } from './cli.js'
import type { Paint } from './words.js'

interface Options extends SharedOptions {
  readonly exitCode: string
}

export const define: Define = (command, around) => {
  command
    .argument('<app>')
    .argument('[from]', 'r14, a commit, or live', 'live')
    .argument('[to]', 'r14, a commit; the newest where none is named', '')
    .option('--exit-code <true|false>', 'false: exit 0 also when something differs', 'true')
    .action(async (app: string, from: string, to: string, options: Options) => {
      const cli = new Cli(around, options)
      const diff = await cli.api.get<DiffView>(applicationPath(app, 'diff', { from, to }))
      await cli.show(diff, () => diffText(diff, cli.paint))
      if (diff.objects.length > 0 && options.exitCode !== 'false') around.exit(1)
    })
}

const marks = { added: ['+', 'green'], removed: ['-', 'red'], changed: ['~', 'amber'] } as const

function diffText(diff: DiffView, paint: Paint): string {
  const between = `${diff.from} and ${diff.to === '' ? 'the newest' : diff.to}`
  if (diff.objects.length === 0) return `No difference between ${between}.`
  const count = `${diff.objects.length} object${diff.objects.length === 1 ? '' : 's'}`
  const objects = diff.objects.map(({ ref, change, text }) => {
    const [mark, colour] = marks[change]
    const title = paint(colour, `${mark} ${ref.kind} ${ref.namespace === '' ? '' : `${ref.namespace}/`}${ref.name}`)
    return [
      title,
      ...text
        .split('\n')
        .filter((line, at, all) => line !== '' || at < all.length - 1)
        .map(line => `    ${paintLine(line, paint)}`),
    ].join('\n')
  })
  return [`${count} differ${diff.objects.length === 1 ? 's' : ''} between ${between}.`, ...objects].join('\n\n')
}

function paintLine(line: string, paint: Paint): string {
  if (line.startsWith('+')) return paint('green', line)
  if (line.startsWith('-')) return paint('red', line)
  return line.startsWith('@@') ? paint('blue', line) : line
}
