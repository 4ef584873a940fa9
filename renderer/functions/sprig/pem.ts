// PEM blocks as Go's encoding/pem writes and finds them.
import { decodeBase64 } from './encoding.js'

export interface PemBlock {
  readonly type: string
  readonly bytes: Uint8Array
}

export function encodePem(type: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${type}-----`, ...lines, `-----END ${type}-----`, ''].join('\n')
}

/** The first block of the text, wherever it stands; undefined: there is none. */
export function decodePem(text: string): PemBlock | undefined {
  for (let at = blockStart(text, 0); at >= 0; at = blockStart(text, at + 1)) {
    const headEnd = text.indexOf('\n', at)
    const end = text.indexOf('\n-----END ', at)
    if (headEnd < 0 || end < 0) return undefined
    const type = /^-----BEGIN (.*)-----[ \t\r]*$/.exec(text.slice(at, headEnd))?.[1]
    const ending = /^-----END (.*)-----[ \t\r]*$/.exec(lineAt(text, end + 1))?.[1]
    const bytes = type === undefined || type !== ending ? undefined : bodyOf(text.slice(headEnd + 1, Math.max(end, headEnd + 1)))
    if (type !== undefined && bytes instanceof Uint8Array) return { type, bytes }
  }
  return undefined
}

/** At the start of a line. */
function blockStart(text: string, from: number): number {
  const head = '-----BEGIN '
  if (from === 0 && text.startsWith(head)) return 0
  const at = text.indexOf(`\n${head}`, Math.max(0, from - 1))
  return at < 0 ? -1 : at + 1
}

function lineAt(text: string, start: number): string {
  const end = text.indexOf('\n', start)
  return text.slice(start, end < 0 ? text.length : end)
}

/** Lines `Name: value` may stand before the base64. */
function bodyOf(body: string) {
  const lines = body.split('\n')
  const headers = lines.findLastIndex(line => line.includes(':')) + 1
  return decodeBase64(
    lines
      .slice(headers)
      .join('')
      .replace(/[ \t\r]/g, ''),
  )
}
