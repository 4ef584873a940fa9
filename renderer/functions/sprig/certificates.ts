// Sprig's keys and certificates (crypto.go). Sticky: made once for a place and its arguments, then kept as texts.
import { formatted } from '../../value/format.js'
import { textOf } from '../../value/text.js'
import { type Dict, type List, Struct, type Value } from '../../value/value.js'
import { type Call, CallError, type Chance, type GoFunction } from '../signature.js'
import { type Args, define, fail, text, whole } from './define.js'
import { decodeBase64 } from './encoding.js'
import { parseIp } from './ip.js'
import { decodePem, encodePem } from './pem.js'
import { newKey, newRsaKey, type PrivateKey, readKey, writeKey } from './private-key.js'
import { type CertificateRequest, type Issuer, readIssuer, writeCertificate } from './x509.js'

/** What the functions give: `.Cert` and `.Key`, both PEM. */
export class Certificate extends Struct {
  readonly type = 'sprig.certificate'
  readonly kind = 'struct'
  readonly cert: string
  readonly key: string
  constructor(cert: string, key: string) {
    super()
    this.cert = cert
    this.key = key
  }
  override fields(): readonly (readonly [string, Value])[] {
    return [
      ['Cert', this.cert],
      ['Key', this.key],
    ]
  }
  override field(name: string): Value | undefined {
    return name === 'Cert' ? this.cert : name === 'Key' ? this.key : undefined
  }
  print(): string {
    return `{${this.cert} ${this.key}}`
  }
  override json(): Value {
    return new Map(this.fields())
  }
}

const costs: Readonly<Record<string, number>> = { rsa: 30, '': 30, dsa: 30, ecdsa: 1, ed25519: 1 }
const rsa2048 = 4

export const certificates: readonly GoFunction[] = [
  define('genPrivateKey', ['string'], (args, call) => {
    const type = text(args, 0)
    if (!(type in costs)) return `Unknown type ${type}`
    return call.sticky('genPrivateKey', args, () => {
      call.meter.secret(costs[type] as number)
      return writeKey(newKey(type) as PrivateKey)
    })
  }),
  define('genCA', ['string', 'int'], (args, call) => minted('genCA', args, call, () => authority(args), own)),
  define('genCAWithKey', ['string', 'int', 'string'], (args, call) =>
    minted('genCAWithKey', args, call, () => authority(args), given(args, 2)),
  ),
  define('genSelfSignedCert', ['string', 'list', 'list', 'int'], (args, call) =>
    minted('genSelfSignedCert', args, call, () => leaf(args), own),
  ),
  define('genSelfSignedCertWithKey', ['string', 'list', 'list', 'int', 'string'], (args, call) =>
    minted('genSelfSignedCertWithKey', args, call, () => leaf(args), given(args, 4)),
  ),
  define('genSignedCert', ['string', 'list', 'list', 'int', 'sprig.certificate'], (args, call) =>
    minted('genSignedCert', args, call, () => leaf(args), own, args[4] as Certificate),
  ),
  define('genSignedCertWithKey', ['string', 'list', 'list', 'int', 'sprig.certificate', 'string'], (args, call) =>
    minted('genSignedCertWithKey', args, call, () => leaf(args), given(args, 5), args[4] as Certificate),
  ),
  define('buildCustomCert', ['string', 'string'], args => custom(text(args, 0), text(args, 1))),
]

/** All of a request but its serial number, and when it begins. */
type Asked = Omit<CertificateRequest, 'serial' | 'notBefore' | 'notAfter'> & { readonly days: number }

function authority(args: Args): Asked {
  return { commonName: text(args, 0), dnsNames: [], addresses: [], isAuthority: true, days: whole(args, 1) }
}

function leaf(args: Args): Asked {
  const addresses = (args[1] as List | null) ?? []
  const dnsNames = (args[2] as List | null) ?? []
  return {
    commonName: text(args, 0),
    addresses: addresses.map(address),
    dnsNames: dnsNames.map(name =>
      typeof name === 'string' ? name : fail(`error processing alternate dns name: ${formatted('%v', name)} is not a string`),
    ),
    isAuthority: false,
    days: whole(args, 3),
  }
}

/** An IPv4 address inside an IPv6 one is an IPv4 address (net.IP.To4). */
function address(value: Value): Uint8Array {
  if (typeof value !== 'string') return fail(`error parsing ip: ${formatted('%v', value)} is not a string`)
  const bytes = parseIp(value)
  if (bytes === undefined) return fail(`error parsing ip: ${value}`)
  const mapped =
    bytes.length === 16 && bytes.subarray(0, 10).every(byte => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  return mapped ? bytes.subarray(12) : bytes
}

interface KeySource {
  readonly cost: number
  /** Throws CallError. */
  take(): PrivateKey
}

const own: KeySource = { cost: rsa2048, take: () => newRsaKey(2048) }

function given(args: Args, at: number): KeySource {
  return { cost: 1, take: () => within('parsing private key', () => readKey(text(args, at))) }
}

/**
 * Arguments are read every time, so that what is wrong is told every time. The key of what is kept is the call's arguments; an
 * authority among them counts as its certificate, so that a new one signs anew.
 */
function minted(name: string, args: Args, call: Call, ask: () => Asked, source: KeySource, signer?: Certificate): Certificate {
  const issuer = signer === undefined ? undefined : issuerOf(signer)
  const asked = ask()
  const key = args.map(arg => (arg instanceof Certificate ? arg.cert : arg))
  const kept = call.sticky(name, key, chance => {
    call.meter.secret(source.cost)
    const made = make(asked, source.take(), issuer, chance)
    return new Map([
      ['cert', made.cert],
      ['key', made.key],
    ])
  }) as Dict
  return new Certificate(kept.get('cert') as string, kept.get('key') as string)
}

interface Signer {
  readonly issuer: Issuer
  readonly key: PrivateKey
}

function issuerOf(certificate: Certificate): Signer {
  const block = decodePem(certificate.cert)
  if (block === undefined) return fail('unable to decode certificate')
  const issuer = within('error parsing certificate: decodedSignerCert.Bytes', () => readIssuer(block.bytes))
  return { issuer, key: within('error parsing private key', () => readKey(certificate.key)) }
}

function make(asked: Asked, key: PrivateKey, signer: Signer | undefined, chance: Chance): Certificate {
  const signs = signer?.key ?? key
  if (signs.kind === 'dsa')
    return fail('error creating certificate: x509: certificate private key does not implement crypto.Signer')
  if (key.kind === 'dsa') return fail('error creating certificate: x509: unsupported public key type: *dsa.PublicKey')
  const notBefore = Math.floor(chance.now / 1000)
  const request = { ...asked, serial: chance.random(16), notBefore, notAfter: notBefore + asked.days * 86_400 }
  const bytes = writeCertificate(request, key.key, signer?.issuer, signs.key)
  return new Certificate(encodePem('CERTIFICATE', bytes), writeKey(key))
}

/** Go's way of saying during what an error came. */
function within<T>(doing: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof CallError) return fail(`${doing}: ${error.message}`)
    throw error
  }
}

function custom(encodedCert: string, encodedKey: string): Certificate {
  const cert = decodeBase64(encodedCert)
  if (!(cert instanceof Uint8Array)) return fail('unable to decode base64 certificate')
  const key = decodeBase64(encodedKey)
  if (!(key instanceof Uint8Array)) return fail('unable to decode base64 private key')
  const block = decodePem(textOf(cert))
  if (block === undefined) return fail('unable to decode certificate')
  within('error parsing certificate: decodedCert.Bytes', () => readIssuer(block.bytes))
  within('error parsing private key', () => readKey(textOf(key)))
  return new Certificate(textOf(cert), textOf(key))
}
