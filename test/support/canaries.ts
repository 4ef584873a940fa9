// Secrets that are easy to find again: put into every slot that is secret, and looked for in whatever a process says or writes.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'

export interface Canaries {
  /** The secret of this slot: letters and digits only, so that no encoding of texts changes it. */
  of(slot: string, given?: string): string
  /** `<where>: <slot> (plain)` for each that is in it. Compressed content is opened. */
  foundIn(where: string, content: string | Uint8Array): readonly string[]
}

export function canaries(): Canaries {
  const secrets = new Map<string, string>()
  const forms = new Map<string, readonly (readonly [form: string, text: string])[]>()
  return {
    of(slot, given) {
      const there = secrets.get(slot)
      if (there !== undefined) return there
      const secret = given ?? `Kanarie${randomBytes(9).toString('hex')}`
      secrets.set(slot, secret)
      forms.set(slot, formsOf(secret))
      return secret
    },
    foundIn(where, content) {
      const texts = textsIn(Buffer.from(content))
      const found = [...forms].flatMap(([slot, all]) =>
        all.filter(([, form]) => texts.some(text => text.includes(form))).map(([form]) => `${where}: ${slot} (${form})`),
      )
      return [...new Set(found)]
    },
  }
}

/** Base64 looks different for each of the three places at which it can begin in what is encoded; its edges hang on what is around it. */
function formsOf(secret: string): readonly (readonly [string, string])[] {
  const base64 = [0, 1, 2].map(before => {
    const encoded = Buffer.from('x'.repeat(before) + secret).toString('base64')
    return ['base64', encoded.replace(/=+$/, '').slice(before === 0 ? 0 : 4, -2)] as const
  })
  const hex = Buffer.from(secret).toString('hex')
  return [['plain', secret], ...base64, ['hex', hex], ['plain, reversed case', swapped(secret)]]
}

function swapped(text: string): string {
  return text.replace(/[a-z]/gi, char => (char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase()))
}

/** As it is, and opened where it is compressed, whole or from a place near its beginning. */
function textsIn(content: Buffer): readonly string[] {
  const opened = [gunzipSync, inflateSync, inflateRawSync, brotliDecompressSync].flatMap(open =>
    [0, 1, 4].flatMap(from => {
      try {
        return [open(content.subarray(from)).toString('latin1')]
      } catch {
        return []
      }
    }),
  )
  return [content.toString('latin1'), ...opened]
}

/** Every file under the directory but what `without` names, by its relative path. Git's loose objects are files as all others. */
export function filesUnder(directory: string, without: RegExp): readonly { readonly path: string; readonly content: Buffer }[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)))
    .filter(path => !without.test(path))
    .flatMap(path => {
      try {
        return [{ path, content: readFileSync(join(directory, path)) }]
      } catch {
        return []
      }
    })
}
