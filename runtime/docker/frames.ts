// The engine's stream of a container without a terminal: frames of an 8-byte header (stream, 0, 0, 0, length) and content;
// and the lines in it.

export interface Chunk {
  readonly stream: 'stdout' | 'stderr'
  readonly content: Buffer
}

/** Frames as they come, in pieces of any size. A container with a terminal has no frames: all is stdout. */
export async function* readFrames(body: AsyncIterable<Uint8Array>, tty: boolean): AsyncGenerator<Chunk> {
  let rest = Buffer.alloc(0)
  for await (const piece of body) {
    if (tty) {
      yield { stream: 'stdout', content: Buffer.from(piece) }
      continue
    }
    rest = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece])
    while (rest.length >= 8) {
      const end = 8 + rest.readUInt32BE(4)
      if (rest.length < end) break
      yield { stream: rest[0] === 2 ? 'stderr' : 'stdout', content: rest.subarray(8, end) }
      rest = rest.subarray(end)
    }
  }
}

export interface EngineLine {
  readonly at: string
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

/** Longer lines are given in pieces of this many characters. */
const longestLine = 64 * 1024

const stamp = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) /

/**
 * Lines of a log that was asked for with `timestamps=1`: `2026-01-02T03:04:05.000000006Z text`. Where an engine keeps a line in
 * pieces (Docker those over 16 KiB, Podman whatever was written at once), it gives each piece a time of its own: the first counts.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>, tty: boolean): AsyncGenerator<EngineLine> {
  const rest = { stdout: '', stderr: '' }
  for await (const chunk of readFrames(body, tty)) {
    const text = chunk.content.toString('utf8')
    const more = tty || rest[chunk.stream] === '' ? text : text.replace(stamp, '')
    const parts = (rest[chunk.stream] + more).split('\n')
    rest[chunk.stream] = parts.pop() ?? ''
    for (const part of parts) yield toLine(chunk.stream, part)
    if (rest[chunk.stream].length > longestLine) {
      yield toLine(chunk.stream, rest[chunk.stream])
      rest[chunk.stream] = ''
    }
  }
  if (rest.stdout !== '') yield toLine('stdout', rest.stdout)
  if (rest.stderr !== '') yield toLine('stderr', rest.stderr)
}

function toLine(stream: 'stdout' | 'stderr', line: string): EngineLine {
  const space = line.indexOf(' ')
  const stamped = space > 0 && /^\d{4}-\d\d-\d\dT/.test(line)
  const text = stamped ? line.slice(space + 1) : line
  return { at: stamped ? line.slice(0, space) : '', stream, text: text.endsWith('\r') ? text.slice(0, -1) : text }
}
