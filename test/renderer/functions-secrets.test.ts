// Keys, certificates, hashes and random texts: certificates byte for byte as Go's crypto/x509 writes them, all else by what it must hold.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bcryptjs from 'bcryptjs'
import t from 'tap'
import { RenderFault } from '../../renderer/fault.js'
import { type Call, CallError } from '../../renderer/functions/signature.js'
import { Certificate } from '../../renderer/functions/sprig/certificates.js'
import { defaultLimits, Meter } from '../../renderer/limits.js'
import { int, type Value } from '../../renderer/value/value.js'
import { callFunction, looseCall } from '../support/go-values.js'

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../test/renderer')

/** Made by Go from one Ed25519 key, whose signatures are always the same; serial number a5a5..., at 1700000000. */
const [goKey = '', ...goCertificates] = readFileSync(join(folder, 'functions-certificates.pem'), 'utf8')
  .split(/(?<=-----END [A-Z ]+-----\n)/)
  .filter(block => block !== '')

const fixed: Call = {
  ...looseCall(),
  sticky: (_name, _key, mint) => mint({ random: bytes => new Uint8Array(bytes).fill(0xa5), now: 1_700_000_000_000 }),
}

function certificate(name: string, args: readonly Value[], call: Call = looseCall()): Certificate {
  const made = callFunction(name, args, call)
  if (!(made instanceof Certificate)) throw new Error('no certificate')
  return made
}

t.test('certificates are those of Go, byte for byte', async t => {
  const ca = certificate('genCAWithKey', ['my-ca & co', int(36_500), goKey], fixed)
  t.equal(ca.cert, goCertificates[0])
  t.equal(ca.key, goKey)
  const names = [['10.0.0.1', '::1'], ['a.b', '*.c'], int(365)]
  t.equal(certificate('genSignedCertWithKey', ['svc.default.svc', ...names, ca, goKey], fixed).cert, goCertificates[1])
  t.equal(certificate('genSelfSignedCertWithKey', ['', null, ['x'], int(1), goKey], fixed).cert, goCertificates[2])
  t.equal(certificate('genSelfSignedCertWithKey', ['*.é', null, null, int(-1), goKey], fixed).cert, goCertificates[3])
})

t.test('a certificate signed by a made authority holds against it', async t => {
  const ca = certificate('genCA', ['ca', int(10)])
  const leaf = certificate('genSignedCert', ['web', ['127.0.0.1'], ['web.local'], int(10), ca])
  const [authority, signed] = [new X509Certificate(ca.cert), new X509Certificate(leaf.cert)]
  t.ok(signed.checkIssued(authority))
  t.ok(signed.verify(authority.publicKey))
  t.ok(signed.checkPrivateKey(createPrivateKey(leaf.key)))
  t.ok(authority.ca)
  t.equal(signed.checkHost('web.local'), 'web.local')
  t.equal(signed.checkIP('127.0.0.1'), '127.0.0.1')
  const encoded = [ca.cert, ca.key].map(each => Buffer.from(each).toString('base64'))
  t.equal(certificate('buildCustomCert', encoded).cert, ca.cert)
  const other = certificate('genCA', ['other', int(10)])
  t.throws(
    () => certificate('genSignedCert', ['web', null, null, int(10), new Certificate(ca.cert, other.key)]),
    new CallError("error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey"),
  )
})

t.test('private keys are of the kind that was asked for', async t => {
  const kinds = { rsa: 'RSA PRIVATE KEY', dsa: 'DSA PRIVATE KEY', ecdsa: 'EC PRIVATE KEY', ed25519: 'PRIVATE KEY' }
  for (const [type, block] of Object.entries(kinds)) {
    const pem = String(callFunction('genPrivateKey', [type]))
    t.match(pem, new RegExp(`^-----BEGIN ${block}-----\n`))
    t.equal(createPrivateKey(pem).asymmetricKeyType, { rsa: 'rsa', dsa: 'dsa', ecdsa: 'ec', ed25519: 'ed25519' }[type])
  }
  t.equal(callFunction('genPrivateKey', ['foo']), 'Unknown type foo')
})

t.test('hashes of passwords hold for the password', async t => {
  const hash = String(callFunction('bcrypt', ['secret']))
  t.match(hash, /^\$2a\$10\$/)
  t.ok(bcryptjs.compareSync('secret', hash))
  const [user, line] = String(callFunction('htpasswd', ['me', 'secret'])).split(':')
  t.equal(user, 'me')
  t.ok(bcryptjs.compareSync('secret', line ?? ''))
  t.equal(
    callFunction('bcrypt', ['x'.repeat(73)]),
    'failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes',
  )
  const hidden = callFunction('encryptAES', ['key', 'plain text'])
  t.equal(callFunction('decryptAES', ['key', hidden]), 'plain text')
})

t.test('random texts have the asked form', async t => {
  const forms: readonly (readonly [string, readonly Value[], RegExp])[] = [
    ['randAlphaNum', [int(200)], /^[0-9A-Za-z]{200}$/],
    ['randAlpha', [int(200)], /^[A-Za-z]{200}$/],
    ['randNumeric', [int(50)], /^[0-9]{50}$/],
    ['randAscii', [int(300)], /^[ -~]{300}$/],
    ['randBytes', [int(6)], /^[A-Za-z0-9+/]{8}$/],
    ['uuidv4', [], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
    ['randAlphaNum', [int(-3)], /^$/],
  ]
  for (const [name, args, form] of forms) t.match(callFunction(name, args), form, name)
  t.equal(
    Array.from(String(callFunction('shuffle', ['abcdef'])))
      .sort()
      .join(''),
    'abcdef',
  )
})

t.test('what is kept is given again, by name and arguments', async t => {
  const kept = new Map<string, Value>()
  const call: Call = {
    ...looseCall(),
    sticky: (name, key, mint) => {
      const at = JSON.stringify([name, key.map(each => (typeof each === 'object' ? String(each) : each))])
      const value = kept.get(at) ?? mint({ random: bytes => new Uint8Array(bytes).map(() => kept.size), now: 0 })
      kept.set(at, value)
      return value
    },
  }
  for (const args of [
    ['randAlphaNum', int(9)],
    ['uuidv4'],
    ['now'],
    ['genCA', 'ca', int(3)],
    ['htpasswd', 'a', 'b'],
    ['shuffle', 'abcdef'],
  ]) {
    const [name, ...rest] = args as [string, ...Value[]]
    t.same(callFunction(name, rest, call), callFunction(name, rest, call), name)
  }
  t.ok(
    [...kept.values()].every(value => !(value instanceof Certificate)),
    'only plain values are kept',
  )
})

t.test('a loop of keys ends at the limit', async t => {
  const call: Call = { ...looseCall(), meter: new Meter({ ...defaultLimits, secrets: 3 }) }
  t.throws(() => {
    for (let at = 0; at < 10; at++) callFunction('bcrypt', ['a'], call)
  }, RenderFault)
})
