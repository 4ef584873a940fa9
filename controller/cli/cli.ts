// What every verb is given: the terminal, the settings, a client; and how it prints for people and for programs.
import type { Command } from 'commander'
import { Client } from './client.js'
import { type Flags, readContexts, type Settings, settingsOf } from './contexts.js'
import { type Paint, painter } from './words.js'

/** The process's surroundings, read once by `main.ts`. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where contexts are kept. */
  readonly contextFile: string
  readonly stdin: AsyncIterable<Uint8Array>
  readonly write: (text: string | Uint8Array) => void
  readonly complain: (text: string) => void
  readonly outIsTerminal: boolean
  readonly inIsTerminal: boolean
  /** Of the terminal; 0 where output is not one. */
  readonly columns: number
  /** Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
  /** Set by a verb whose answer is no. */
  exit(code: number): void
}

export type Format = 'text' | 'json' | 'yaml'

/** The options that every verb takes. */
export interface SharedOptions extends Flags {
  readonly output?: Format
  readonly plain?: boolean
  readonly color?: boolean
}

/** A verb's file exports this: arguments, options and action on the given command. */
export type Define = (command: Command, around: Surroundings) => void

export class Cli {
  readonly around: Surroundings
  readonly settings: Settings
  readonly format: Format
  readonly api: Client
  readonly paint: Paint
  /** 0: do not cut or wrap. */
  readonly columns: number
  /** Lines may rewrite themselves. */
  readonly live: boolean

  constructor(around: Surroundings, options: SharedOptions) {
    this.around = around
    this.format = options.output ?? 'text'
    this.settings = settingsOf(options, around.env, readContexts(around.contextFile), around.contextFile)
    this.api = new Client(this.settings, this.format === 'text')
    const plain = options.plain === true || !around.outIsTerminal || around.env.TERM === 'dumb'
    const coloured = !plain && options.color !== false && (around.env.NO_COLOR ?? '') === ''
    this.paint = painter(coloured)
    this.columns = around.columns
    this.live = !plain && this.format === 'text'
  }

  print(text: string): void {
    this.around.write(text.endsWith('\n') ? text : `${text}\n`)
  }

  /** For people by `text`, for programs as it is. */
  async show(value: unknown, text: () => string): Promise<void> {
    if (this.format === 'json') this.print(JSON.stringify(value, null, 2))
    else if (this.format === 'yaml') this.print(await yamlOf(value))
    else this.print(text())
  }

  /** One value a line as JSON, else a YAML document, else text. */
  async showNext(value: unknown, text: () => string): Promise<void> {
    if (this.format === 'json') this.print(JSON.stringify(value))
    else if (this.format === 'yaml') this.print(`---\n${await yamlOf(value)}`)
    else this.print(text())
  }
}

export async function yamlOf(value: unknown): Promise<string> {
  const { dump } = await import('js-yaml')
  return dump(value, { lineWidth: -1, noRefs: true })
}

/** `/api/v1/applications/<name>/<what>?<query>`; empty values of the query are left out. */
export function applicationPath(
  name: string,
  what = '',
  query: Readonly<Record<string, string | number | boolean | undefined>> = {},
): string {
  return `/api/v1/applications/${encodeURIComponent(name)}${what === '' ? '' : `/${what}`}${queryOf(query)}`
}

export function queryOf(query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '' && value !== false)
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)])).toString()}`
}

/** The list's envelope, over all its pages. */
export interface Listed<T> {
  readonly version: 'v1'
  readonly items: readonly T[]
  readonly total: number
  readonly continue: string
}

export async function listAll<T>(api: Client, path: string): Promise<Listed<T>> {
  let page = await api.get<Listed<T>>(path)
  const items = [...page.items]
  while (page.continue !== '') {
    page = await api.get<Listed<T>>(`${path}${path.includes('?') ? '&' : '?'}continue=${encodeURIComponent(page.continue)}`)
    items.push(...page.items)
  }
  return { ...page, items, continue: '' }
}
