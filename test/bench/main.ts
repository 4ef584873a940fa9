// `npm run bench -- NAME [--runs N] [--json]`: runs one benchmark, prints its table, and with --json one last line for programs.
// To add one: a file that exports a `Bench`, and a line in the table below.
import { type Bench, line, table } from './bench.js'
import { kubernetes } from './kubernetes.js'
import { many } from './many.js'
import { push } from './push.js'
import { render } from './render.js'

const benches: readonly Bench[] = [push, many, kubernetes, render]

async function main(args: readonly string[]): Promise<number> {
  const at = args.indexOf('--runs')
  const runs = at < 0 ? 20 : Number(args[at + 1])
  const name = args.find((arg, index) => !arg.startsWith('--') && (at < 0 || index !== at + 1))
  const bench = benches.find(known => known.name === name)
  if (bench === undefined || !Number.isInteger(runs) || runs < 1) {
    const list = benches.map(known => `  ${known.name.padEnd(10)} ${known.about}`).join('\n')
    console.error(`usage: npm run bench -- NAME [--runs N] [--json]\n${list}`)
    return 2
  }
  const ending = new AbortController()
  for (const ended of ['SIGINT', 'SIGTERM'] as const) process.once(ended, () => ending.abort(new Error(`ended by ${ended}`)))
  const measured = await bench.run({ runs, say: text => console.error(text) }, ending.signal)
  console.log(table(bench.name, measured))
  if (args.includes('--json')) console.log(line(bench.name, measured))
  return 0
}

process.exit(
  await main(process.argv.slice(2)).catch((error: Error) => {
    console.error(error.stack)
    return 1
  }),
)
