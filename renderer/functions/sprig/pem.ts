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
  for (const found of text.matchAll(
    /(?:^|\n)-----BEGIN ([^\n]*?)-----[ \t\r]*\n([^]*?)\n?-----END ([^\n]*?)-----[ \t\r]*(?:\n|$)/g,
  )) {
    const [, type = '', body = '', ending] = found
    if (type !== ending) continue
    const headless = body.includes(':') ? body.slice(body.lastIndexOf(':')).replace(/^[^\n]*\n/, '') : body
    const bytes = decodeBase64(headless.replace(/[ \t\r\n]/g, ''))
    if (bytes instanceof Uint8Array) return { type, bytes }
  }
  return undefined
}
