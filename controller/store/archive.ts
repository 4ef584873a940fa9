// A store's archive as bytes, sealed with a passphrase where one is given. What is sealed cannot be told from noise.
import { randomBytes, scryptSync } from 'node:crypto'
import { compress, decompress } from '../../runtime/contract/frame.js'
import { openWith, SealError, sealWith } from '../../runtime/contract/seal.js'

const plainHead = Buffer.from('slipway-backup-1\n')
const sealedHead = Buffer.from('slipway-backup-1-sealed\n')
const saltLength = 16

/** '' leaves it readable for everyone who has the file. */
export function packArchive(archive: unknown, passphrase: string): Uint8Array {
  const content = compress(archive)
  if (passphrase === '') return Buffer.concat([plainHead, content])
  const salt = randomBytes(saltLength)
  return Buffer.concat([sealedHead, salt, sealWith(keyOf(passphrase, salt), content, 'backup')])
}

/** Throws an Error that says what to do. */
export function unpackArchive(bytes: Uint8Array, passphrase: string): unknown {
  const buffer = Buffer.from(bytes)
  if (buffer.subarray(0, plainHead.length).equals(plainHead)) return decompress(buffer.subarray(plainHead.length), 'backup')
  if (!buffer.subarray(0, sealedHead.length).equals(sealedHead)) throw new Error('backup: not a backup of Slipway')
  if (passphrase === '') throw new Error('backup: it is sealed; give the passphrase that it was made with')
  const salt = buffer.subarray(sealedHead.length, sealedHead.length + saltLength)
  try {
    return decompress(openWith(keyOf(passphrase, salt), buffer.subarray(sealedHead.length + saltLength), 'backup'), 'backup')
  } catch (cause) {
    if (cause instanceof SealError) throw new Error('backup: the passphrase does not open it', { cause })
    throw cause
  }
}

function keyOf(passphrase: string, salt: Uint8Array): Uint8Array {
  return scryptSync(passphrase, salt, 32, { N: 32768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 })
}
