// One command in a running container: output, exit code, and an end when its time is over.
import { readFileSync } from 'node:fs'
import type { Docker } from './client.js'
import { readFrames } from './frames.js'
import type { ExecResult } from './shapes.js'

/** Throws EngineError where it could not be run, the signal's reason where it was cut short (the command is ended then). */
export async function runCommand(
  docker: Docker,
  container: string,
  command: readonly string[],
  outputLimit: number,
  signal: AbortSignal,
): Promise<ExecResult> {
  const id = await docker.exec.create(container, command, signal)
  const response = await docker.exec.start(id, signal)
  try {
    const output = await collect(response, outputLimit)
    const ended = await docker.exec.inspect(id, signal)
    return { exitCode: ended.ExitCode ?? -1, output }
  } catch (error) {
    if (signal.aborted) {
      await endCommand(docker, container, id).catch(() => undefined)
      throw signal.reason
    }
    throw error
  }
}

async function collect(body: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const chunk of readFrames(body, false)) {
    if (size >= limit) continue
    parts.push(chunk.content.subarray(0, limit - size))
    size += chunk.content.length
  }
  return Buffer.concat(parts).toString('utf8')
}

/**
 * The engine has no call that ends a command, so a hung probe would pile up. The process is ended here, but only where it is
 * surely the one meant: its cgroup names the container.
 */
async function endCommand(docker: Docker, container: string, id: string): Promise<void> {
  const { Running, Pid } = await docker.exec.inspect(id)
  if (!Running || Pid <= 1) return
  if (readFileSync(`/proc/${Pid}/cgroup`, 'utf8').includes(container)) process.kill(Pid, 'SIGKILL')
}
