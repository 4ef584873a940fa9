// Which server, with which token: flags before environment before the context file, and where each came from.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { dump, load } from 'js-yaml'
import { Failure } from './failure.js'

export interface Context {
  readonly name: string
  readonly server: string
  readonly token: string
}

/** `current: local` and `contexts: [{name, server, token}]`. */
export interface ContextFile {
  readonly current: string
  readonly contexts: readonly Context[]
}

export interface Setting {
  readonly value: string
  /** `--server`, `SLIPWAY_SERVER`, `context local in ~/.config/...`, `default`. */
  readonly origin: string
}

export interface Settings {
  readonly server: Setting
  readonly token: Setting
  readonly context: Setting
}

export const defaultServer = 'http://127.0.0.1:7433'

/** What the command line says; undefined where it says nothing. */
export interface Flags {
  readonly server?: string
  readonly token?: string
  readonly context?: string
}

export function settingsOf(
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
  file: ContextFile,
  path: string,
): Settings {
  const context = first([flags.context, '--context'], [env.SLIPWAY_CONTEXT, 'SLIPWAY_CONTEXT'], [file.current, path])
  const known = file.contexts.find(one => one.name === context.value)
  if (known === undefined && context.value !== '' && context.origin !== path) {
    throw new Failure(2, `There is no context ${context.value} in ${path}.`, 'slipway config view')
  }
  const from = `context ${context.value} in ${path}`
  const server = first(
    [flags.server, '--server'],
    [env.SLIPWAY_SERVER, 'SLIPWAY_SERVER'],
    [known?.server, from],
    [defaultServer, 'default'],
  )
  // A token belongs to its server: the context's is not sent to another.
  const mine =
    known !== undefined && known.server.replace(/\/+$/, '') === server.value.replace(/\/+$/, '') ? known.token : undefined
  const token = first([flags.token, '--token'], [env.SLIPWAY_TOKEN, 'SLIPWAY_TOKEN'], [mine, from])
  return { server, token, context }
}

/** Absent is empty; what cannot be read as one is a failure that names the file. */
export function readContexts(path: string): ContextFile {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { current: '', contexts: [] }
    throw new Failure(2, `${path}: cannot be read: ${(error as Error).message}`)
  }
  try {
    return parseContexts(load(text))
  } catch (error) {
    throw new Failure(2, `${path}: ${(error as Error).message}`, `mend it, or remove it and: slipway login ${defaultServer}`)
  }
}

/** Puts this context in (or in place of its namesake), makes it the current one, and keeps the file to its owner (0600). */
export function saveContext(path: string, context: Context): void {
  const others = readContexts(path).contexts.filter(one => one.name !== context.name)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, dump({ current: context.name, contexts: [...others, context] }), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function parseContexts(value: unknown): ContextFile {
  const { current, contexts } = (value ?? {}) as { current?: unknown; contexts?: unknown }
  if (contexts !== undefined && !Array.isArray(contexts)) throw new Error('`contexts` must be a list')
  const text = (one: unknown) => (typeof one === 'string' ? one : '')
  return {
    current: text(current),
    contexts: ((contexts ?? []) as unknown[]).map(one => {
      const { name, server, token } = (one ?? {}) as Record<string, unknown>
      return { name: text(name), server: text(server), token: text(token) }
    }),
  }
}

function first(...choices: readonly (readonly [string | undefined, string])[]): Setting {
  const [value, origin] = choices.find(([given]) => given !== undefined && given !== '') ?? ['', 'not set']
  return { value: value ?? '', origin }
}
