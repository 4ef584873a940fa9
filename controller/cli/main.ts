#!/usr/bin/env node
// The command line's door: reads the environment, finds the verb, loads it alone, turns failures into words and exit codes.
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import type { Surroundings } from './cli.js'
import { exitCodeHelp, Failure } from './failure.js'
import { asSwitches } from './switches.js'
import { verbs } from './verbs.js'

const interrupted = new AbortController()
// A render computes without a pause: nobody would be told of a signal before its end, so the signal ends the program as it is.
const ends = process.argv[2] === 'render' ? [] : (['SIGINT', 'SIGTERM'] as const)
for (const signal of ends) {
  process.once(signal, () => {
    process.exitCode = 130
    interrupted.abort(new Error(signal))
  })
}
// `slipway apps | head` ends us quietly.
process.stdout.on('error', error => ((error as NodeJS.ErrnoException).code === 'EPIPE' ? process.exit(0) : undefined))

const around: Surroundings = {
  env: process.env,
  contextFile:
    process.env.SLIPWAY_CONFIG || join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'slipway/config.yaml'),
  stdin: process.stdin,
  write: text => process.stdout.write(text),
  complain: text => process.stderr.write(text),
  outIsTerminal: process.stdout.isTTY === true,
  inIsTerminal: process.stdin.isTTY === true,
  columns: process.stdout.isTTY === true ? process.stdout.columns || 80 : 0,
  signal: interrupted.signal,
  exit: code => {
    process.exitCode = code
  },
}

/** `--cascade=false`, as argocd and kubectl have it, is `--no-cascade`. */
function asFlag(argument: string): string {
  const [, name, value] = /^--(cascade|prune)=(true|false)$/.exec(argument) ?? []
  return value === undefined ? argument : value === 'true' ? `--${name}` : `--no-${name}`
}

function argumentsOf(argv: readonly string[]): string[] {
  const flags = argv.map(asFlag)
  return argv[2] === 'render' ? [...asSwitches(flags)] : flags
}

/** Verbs that the arguments may mean are loaded, all are listed. */
async function programOf(args: readonly string[]): Promise<Command> {
  const program = new Command('slipway')
    .description('GitOps continuous delivery that hauls a bad release back by itself.')
    .exitOverride()
    .configureOutput({ writeErr: text => around.complain(text) })
    .addHelpText('after', `${exitCodeHelp}\n\nBegin with:  slipway up`)
  for (const verb of verbs) {
    const command = program
      .command(verb.name)
      .summary(verb.summary)
      .description(`${verb.summary[0]?.toUpperCase()}${verb.summary.slice(1)}.`)
      .helpGroup(`${verb.group}:`)
    if (!args.includes(verb.name)) continue
    ;(await verb.load()).define(command, around)
    for (const leaf of command.commands.length > 0 ? command.commands : [command]) shared(leaf)
    command.addHelpText('after', exitCodeHelp)
  }
  return program
}

/** What every verb takes; flags before SLIPWAY_SERVER and SLIPWAY_TOKEN before the context. */
function shared(command: Command): void {
  command
    .addOption(new Option('-o, --output <format>', 'for programs').choices(['json', 'yaml']))
    .option('--server <url>', 'instead of SLIPWAY_SERVER and the context')
    .option('--token <token>', 'instead of SLIPWAY_TOKEN and the context')
    .option('--context <name>', 'one of the context file')
    .option('--plain', 'no colour, nothing that rewrites itself')
    .option('--no-color', 'no colour (also NO_COLOR)')
}

function exitCodeOf(error: unknown): number {
  if (interrupted.signal.aborted) return 130
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const hint = error instanceof Failure ? error.hint : ''
  around.complain(
    `slipway: ${error instanceof Error ? error.message : String(error)}\n${hint === '' ? '' : `         ${hint}\n`}`,
  )
  return error instanceof Failure ? error.code : 2
}

try {
  const program = await programOf(process.argv.slice(2))
  if (process.argv.length <= 2) program.outputHelp()
  else await program.parseAsync(argumentsOf(process.argv))
} catch (error) {
  process.exitCode = exitCodeOf(error)
}
