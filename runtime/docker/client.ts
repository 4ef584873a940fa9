// The calls made to a container engine: this list and no other. Nothing of the outside is ever passed through to the engine.
import { buffer, text } from 'node:stream/consumers'
import { written } from '../failpoint.js'
import { EngineError, isEngineError } from './errors.js'
import { type EngineLine, readLines } from './frames.js'
import type {
  ContainerInspected,
  ContainerListed,
  EngineInfo,
  EngineVersion,
  ImageInspected,
  NetworkInspected,
  PullProgress,
  RegistryAuth,
  VolumeInspected,
} from './shapes.js'
import { type Ask, classified, connectTransport, type Transport } from './transport.js'

/** The version spoken where the engine allows it: what Debian 12's engine and Podman's compatible API have. */
const preferredApi = '1.41'

export interface EngineLogOptions {
  readonly tail?: number
  readonly sinceSeconds?: number
  readonly follow?: boolean
  readonly tty?: boolean
}

/** Every call throws EngineError; every abort throws the signal's reason. Ids may be names. Limits: 30 s unless said. */
export type Docker = ReturnType<typeof connectDocker>

/** Connects to nothing yet: the first call does. `host` as in DOCKER_HOST. */
export function connectDocker(host: string) {
  const bare = connectTransport(host, async () => '')
  let negotiated: Promise<EngineVersion> | null = null
  const version = (signal?: AbortSignal): Promise<EngineVersion> =>
    bare.json({ method: 'GET', path: '/version', doing: 'asking the engine for its version', limitMs: 10_000, signal })
  const versionOnce = async (): Promise<EngineVersion> => {
    negotiated ??= version()
    try {
      return await negotiated
    } catch (error) {
      negotiated = null
      throw error
    }
  }
  const prefix = async (): Promise<string> => `/v${chooseApi(await versionOnce())}`
  const onPodman = async (): Promise<boolean> => isPodman(await versionOnce())
  const http = connectTransport(host, prefix)
  return {
    host,
    version,
    /** Does it answer? Costs the engine nothing, where Podman's version and information start programs. */
    ping: async (signal?: AbortSignal): Promise<void> => {
      const answer = await bare.open({
        method: 'GET',
        path: '/_ping',
        doing: 'asking the engine for a sign',
        limitMs: 10_000,
        signal,
      })
      answer.resume()
    },
    /** For what the compatible API of Podman leaves different. Asked once. */
    isPodman: onPodman,
    info: (signal?: AbortSignal): Promise<EngineInfo> =>
      http.json({ method: 'GET', path: '/info', doing: 'asking the engine about its machine', signal }),
    containers: containerCalls(http, onPodman),
    images: imageCalls(http),
    networks: networkCalls(http),
    volumes: volumeCalls(http),
    exec: execCalls(http),
    /** Lines of `GET /events`: see events.ts for the stream that reconnects. */
    openEvents: (query: Readonly<Record<string, string | number>>, signal: AbortSignal) =>
      http.open({ method: 'GET', path: '/events', query, limitMs: 0, signal, doing: 'listening to the engine' }),
    close: async (): Promise<void> => {
      await Promise.all([bare.close(), http.close()])
    },
  }
}

export function isPodman(engine: EngineVersion): boolean {
  return engine.Components?.some(({ Name }) => Name === 'Podman Engine') ?? false
}

/** The preferred version, moved into what the engine takes. Throws for an engine older than all of it. */
export function chooseApi(engine: EngineVersion): string {
  const minor = (text: string): number => Number(text.split('.')[1] ?? 0)
  if (minor(engine.ApiVersion) < 40) {
    throw new EngineError(
      'choosing an API version',
      'refused',
      0,
      `engine ${engine.Version} speaks API ${engine.ApiVersion}; 1.40 or newer is needed: update the engine`,
    )
  }
  if (minor(engine.ApiVersion) < minor(preferredApi)) return engine.ApiVersion
  return minor(engine.MinAPIVersion ?? '1.24') > minor(preferredApi) ? engine.MinAPIVersion! : preferredApi
}

/** `killsFirst`: a forced removal asks the container to stop and waits 10 s for it (Podman); ours are to end at once. */
function containerCalls(http: Transport, killsFirst: () => Promise<boolean>) {
  const at = (id: string, rest = ''): string => `/containers/${encodeURIComponent(id)}${rest}`
  /** False: it was not running. */
  const kill = async (id: string, posixSignal: string, signal?: AbortSignal): Promise<boolean> => {
    try {
      await written('runtime.container.killed', () =>
        http.json({
          method: 'POST',
          path: at(id, '/kill'),
          query: { signal: posixSignal },
          signal,
          doing: `sending ${posixSignal} to container ${id}`,
        }),
      )
      return true
    } catch (error) {
      if (isEngineError(error, 'conflict') || isEngineError(error, 'notFound')) return false
      throw error
    }
  }
  return {
    create: (
      name: string,
      body: unknown,
      signal?: AbortSignal,
    ): Promise<{ readonly Id: string; readonly Warnings: readonly string[] | null }> =>
      written('runtime.container.created', () =>
        http.json({
          method: 'POST',
          path: '/containers/create',
          query: { name },
          json: body,
          limitMs: 120_000,
          signal,
          doing: `creating container ${name}`,
        }),
      ),
    /** Already running is fine. */
    start: async (id: string, signal?: AbortSignal): Promise<void> => {
      const asked = {
        method: 'POST',
        path: at(id, '/start'),
        limitMs: 120_000,
        signal,
        doing: `starting container ${id}`,
      } as const
      await written('runtime.container.started', () => http.json(asked))
    },
    /** Stop signal, up to `graceSeconds`, then SIGKILL; done when it has ended. Already ended is fine. */
    stop: async (id: string, graceSeconds: number, signal?: AbortSignal): Promise<void> => {
      const limitMs = (graceSeconds + 60) * 1000
      await written('runtime.container.stopped', () =>
        http.json({
          method: 'POST',
          path: at(id, '/stop'),
          query: { t: graceSeconds },
          limitMs,
          signal,
          doing: `stopping container ${id}`,
        }),
      )
    },
    kill,
    /** Ends it where it runs, with its anonymous volumes. One that is gone, or going, is fine. Podman wants those that joined it gone before. */
    remove: async (id: string, signal?: AbortSignal): Promise<void> => {
      try {
        if (await killsFirst()) await kill(id, 'SIGKILL', signal)
        await written('runtime.container.removed', () =>
          http.json({
            method: 'DELETE',
            path: at(id),
            query: { force: true, v: true },
            limitMs: 120_000,
            signal,
            doing: `removing container ${id}`,
          }),
        )
      } catch (error) {
        if (isEngineError(error, 'notFound')) return
        if (isEngineError(error, 'conflict') && error.said.includes('already in progress')) return
        throw error
      }
    },
    inspect: (id: string, signal?: AbortSignal): Promise<ContainerInspected> =>
      http.json({ method: 'GET', path: at(id, '/json'), signal, doing: `inspecting container ${id}` }),
    /** All, ended ones too, that carry every one of these labels (`key=value` or `key`). */
    list: (labels: readonly string[], signal?: AbortSignal): Promise<readonly ContainerListed[]> =>
      http.json({
        method: 'GET',
        path: '/containers/json',
        query: { all: true, filters: JSON.stringify({ label: labels }) },
        signal,
        doing: 'listing containers',
      }),
    /** Oldest first; with `follow` until the container ends or the signal aborts. */
    logs: (id: string, options: EngineLogOptions, signal?: AbortSignal): AsyncGenerator<EngineLine> =>
      logLines(http, id, options, signal),
    /** Resolves with the exit code once it has ended. */
    wait: (id: string, signal?: AbortSignal): Promise<{ readonly StatusCode: number }> =>
      http.json({ method: 'POST', path: at(id, '/wait'), limitMs: 0, signal, doing: `waiting for container ${id}` }),
    /** A file or folder of a container, running or not, as a tar archive. */
    getArchive: async (id: string, path: string, signal?: AbortSignal): Promise<Buffer> => {
      const doing = `reading ${path} of container ${id}`
      const response = await http.open({
        method: 'GET',
        path: at(id, '/archive'),
        query: { path },
        limitMs: 120_000,
        signal,
        doing,
      })
      return buffer(response)
    },
    putArchive: async (id: string, path: string, tar: Buffer, signal?: AbortSignal): Promise<void> => {
      const body = { type: 'application/x-tar', content: tar }
      await http.json({
        method: 'PUT',
        path: at(id, '/archive'),
        query: { path },
        body,
        signal,
        doing: `writing files into container ${id}`,
      })
    },
  }
}

async function* logLines(
  http: Transport,
  id: string,
  options: EngineLogOptions,
  signal?: AbortSignal,
): AsyncGenerator<EngineLine> {
  const since = options.sinceSeconds === undefined ? undefined : Math.floor(Date.now() / 1000 - options.sinceSeconds)
  const query = {
    stdout: true,
    stderr: true,
    timestamps: true,
    follow: options.follow ?? false,
    tail: options.tail ?? 'all',
    since,
  }
  const ask: Ask = {
    method: 'GET',
    path: `/containers/${encodeURIComponent(id)}/logs`,
    query,
    limitMs: options.follow ? 0 : 30_000,
    signal,
    doing: `reading the log of container ${id}`,
  }
  const response = await http.open(ask)
  try {
    yield* readLines(response, options.tty ?? false)
  } catch (error) {
    throw classified(error, ask)
  }
}

function imageCalls(http: Transport) {
  const at = (ref: string, rest = ''): string => `/images/${ref.split('/').map(encodeURIComponent).join('/')}${rest}`
  return {
    /** By reference, `name@sha256:...` or image id. */
    inspect: (ref: string, signal?: AbortSignal): Promise<ImageInspected> =>
      http.json({ method: 'GET', path: at(ref, '/json'), signal, doing: `inspecting image ${ref}` }),
    /** What the registry refused comes as EngineError with the registry's words. */
    pull: (ref: string, auth: RegistryAuth | null, progress: (line: PullProgress) => void, signal?: AbortSignal): Promise<void> =>
      pullImage(http, ref, auth, progress, signal),
    /** A docker-archive (manifest.json, configuration, layers). */
    load: async (tar: Buffer, signal?: AbortSignal): Promise<void> => {
      const body = { type: 'application/x-tar', content: tar }
      const doing = 'loading an image'
      const answer = await text(
        await http.open({ method: 'POST', path: '/images/load', query: { quiet: true }, body, limitMs: 120_000, signal, doing }),
      )
      const said = answer
        .split('\n')
        .map(line => progressOf(line)?.error)
        .find(Boolean)
      if (said) throw new EngineError(doing, 'refused', 200, said)
    },
    tag: async (ref: string, repo: string, tag: string, signal?: AbortSignal): Promise<void> => {
      await http.json({ method: 'POST', path: at(ref, '/tag'), query: { repo, tag }, signal, doing: `tagging image ${ref}` })
    },
    remove: async (ref: string, signal?: AbortSignal): Promise<void> => {
      await http.json({ method: 'DELETE', path: at(ref), query: { force: true }, signal, doing: `removing image ${ref}` })
    },
  }
}

async function pullImage(
  http: Transport,
  ref: string,
  auth: RegistryAuth | null,
  progress: (line: PullProgress) => void,
  signal?: AbortSignal,
): Promise<void> {
  const headers = auth === null ? {} : { 'x-registry-auth': authHeader(auth) }
  const ask: Ask = {
    method: 'POST',
    path: '/images/create',
    query: { fromImage: ref },
    headers,
    limitMs: 600_000,
    signal,
    doing: `pulling ${ref}`,
  }
  const response = await http.open(ask)
  let rest = ''
  try {
    for await (const piece of response) {
      const lines = (rest + Buffer.from(piece).toString('utf8')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) takeProgress(line, ref, progress)
    }
    takeProgress(rest, ref, progress)
  } catch (error) {
    throw classified(error, ask)
  }
}

/** URL-safe, but padded: older engines take no other. */
function authHeader(auth: RegistryAuth): string {
  return Buffer.from(JSON.stringify(auth)).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}

function takeProgress(line: string, ref: string, progress: (line: PullProgress) => void): void {
  const parsed = progressOf(line)
  if (parsed === null) return
  if (parsed.error) throw new EngineError(`pulling ${ref}`, 'failed', 200, parsed.error)
  progress(parsed)
}

function progressOf(line: string): PullProgress | null {
  return line.trim() === '' ? null : (JSON.parse(line) as PullProgress)
}

function networkCalls(http: Transport) {
  const at = (name: string, rest = ''): string => `/networks/${encodeURIComponent(name)}${rest}`
  return {
    inspect: (name: string, signal?: AbortSignal): Promise<NetworkInspected> =>
      http.json({ method: 'GET', path: at(name), signal, doing: `inspecting network ${name}` }),
    list: (signal?: AbortSignal): Promise<readonly NetworkInspected[]> =>
      http.json({ method: 'GET', path: '/networks', signal, doing: 'listing networks' }),
    create: (body: unknown, signal?: AbortSignal): Promise<{ readonly Id: string }> =>
      http.json({ method: 'POST', path: '/networks/create', json: body, signal, doing: 'creating a network' }),
    connect: async (name: string, container: string, endpoint: unknown, signal?: AbortSignal): Promise<void> => {
      const json = { Container: container, EndpointConfig: endpoint }
      await http.json({
        method: 'POST',
        path: at(name, '/connect'),
        json,
        signal,
        doing: `connecting container ${container} to ${name}`,
      })
    },
    disconnect: async (name: string, container: string, signal?: AbortSignal): Promise<void> => {
      const json = { Container: container, Force: true }
      await http.json({
        method: 'POST',
        path: at(name, '/disconnect'),
        json,
        signal,
        doing: `disconnecting container ${container} from ${name}`,
      })
    },
    remove: async (name: string, signal?: AbortSignal): Promise<void> => {
      await http.json({ method: 'DELETE', path: at(name), signal, doing: `removing network ${name}` })
    },
  }
}

function volumeCalls(http: Transport) {
  const at = (name: string): string => `/volumes/${encodeURIComponent(name)}`
  return {
    inspect: (name: string, signal?: AbortSignal): Promise<VolumeInspected> =>
      http.json({ method: 'GET', path: at(name), signal, doing: `inspecting volume ${name}` }),
    /** There already: the same again. Driver and options are not ours to take from anyone: always local, never a bind. */
    create: (name: string, labels: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<VolumeInspected> =>
      http.json({
        method: 'POST',
        path: '/volumes/create',
        json: { Name: name, Driver: 'local', Labels: labels },
        signal,
        doing: `creating volume ${name}`,
      }),
    remove: async (name: string, signal?: AbortSignal): Promise<void> => {
      await http.json({ method: 'DELETE', path: at(name), signal, doing: `removing volume ${name}` })
    },
    list: async (labels: readonly string[], signal?: AbortSignal): Promise<readonly VolumeInspected[]> => {
      const query = { filters: JSON.stringify({ label: labels }) }
      const answer = await http.json<{ Volumes: readonly VolumeInspected[] | null }>({
        method: 'GET',
        path: '/volumes',
        query,
        signal,
        doing: 'listing volumes',
      })
      return answer.Volumes ?? []
    },
  }
}

function execCalls(http: Transport) {
  return {
    create: async (container: string, command: readonly string[], signal?: AbortSignal): Promise<string> => {
      const json = { AttachStdout: true, AttachStderr: true, Cmd: command }
      const path = `/containers/${encodeURIComponent(container)}/exec`
      return (
        await http.json<{ Id: string }>({
          method: 'POST',
          path,
          json,
          signal,
          doing: `preparing a command in container ${container}`,
        })
      ).Id
    },
    /** The framed output until the command ends. */
    start: (id: string, signal?: AbortSignal) =>
      http.open({
        method: 'POST',
        path: `/exec/${encodeURIComponent(id)}/start`,
        json: { Detach: false, Tty: false },
        limitMs: 0,
        signal,
        doing: 'running a command in a container',
      }),
    inspect: (
      id: string,
      signal?: AbortSignal,
    ): Promise<{ readonly Running: boolean; readonly ExitCode: number | null; readonly Pid: number }> =>
      http.json({ method: 'GET', path: `/exec/${encodeURIComponent(id)}/json`, signal, doing: 'asking how a command ended' }),
  }
}
