// Writes X.509 certificates (RFC 5280) byte for byte as Go's crypto/x509 CreateCertificate does for Sprig's templates, and reads what signing needs.
import { createHash, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { quoted } from '../../value/quote.js'
import { bytesOf, hasBadBytes } from '../../value/text.js'
import { fail } from './define.js'
import { bits, children, content, DerError, der, element, integer, oid, sequence, tags, whole } from './der.js'
import { publicKeyOf } from './private-key.js'

export interface CertificateRequest {
  readonly commonName: string
  readonly dnsNames: readonly string[]
  /** 4 or 16 bytes each. */
  readonly addresses: readonly Uint8Array[]
  readonly isAuthority: boolean
  readonly serial: Uint8Array
  /** Seconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
}

/** Who signs: the name as it stands in the certificate, and the identifier of its key where it has one. */
export interface Issuer {
  readonly subject: Uint8Array
  readonly keyId: Uint8Array | undefined
  /** SubjectPublicKeyInfo of the certificate; undefined: it signs itself. */
  readonly publicKey: Uint8Array | undefined
}

/** What a signed certificate takes over from its authority's. Throws CallError, as x509.ParseCertificate refuses. */
export function readIssuer(bytes: Uint8Array): Issuer {
  try {
    new X509Certificate(bytes)
    const [body] = children(element(bytes))
    if (body === undefined) throw new DerError('no certificate')
    const parts = children(body)
    const from = parts[0]?.tag === 0xa0 ? 1 : 0
    const [subject, publicKey, extensions] = [parts[from + 4], parts[from + 5], parts.find(part => part.tag === 0xa3)]
    if (subject === undefined || publicKey === undefined) throw new DerError('no certificate')
    return {
      subject: whole(subject),
      publicKey: whole(publicKey),
      keyId: extensions === undefined ? undefined : keyIdIn(content(extensions)),
    }
  } catch {
    return fail('x509: malformed certificate')
  }
}

const subjectKeyId = oid('2.5.29.14')

function keyIdIn(extensions: Uint8Array): Uint8Array | undefined {
  const found = children(element(extensions)).find(each => {
    const name = children(each)[0]
    return name !== undefined && Buffer.compare(whole(name), subjectKeyId) === 0
  })
  const value = found === undefined ? undefined : children(found).at(-1)
  return value === undefined ? undefined : content(element(content(value)))
}

/** `issuer` undefined: self-signed. The key of `subjectKey` is certified, `signer` signs. */
export function writeCertificate(
  request: CertificateRequest,
  subjectKey: KeyObject,
  issuer: Issuer | undefined,
  signer: KeyObject,
): Uint8Array {
  const publicKey = publicKeyOf(subjectKey)
  const subject = nameOf(request.commonName)
  const [algorithm, hash] = signatureOf(signer)
  if (issuer?.publicKey !== undefined && Buffer.compare(issuer.publicKey, publicKeyOf(signer)) !== 0)
    fail("error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey")
  const issuerName = issuer?.subject ?? subject
  const authority = Buffer.compare(issuerName, subject) === 0 ? undefined : issuer?.keyId
  const body = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(request.serial),
    algorithm,
    issuerName,
    sequence(timeOf(request.notBefore), timeOf(request.notAfter)),
    subject,
    publicKey,
    der(0xa3, sequence(...extensionsOf(request, publicKey, authority))),
  )
  return sequence(body, algorithm, bits(sign(hash, body, signer)))
}

/** Only RSA (PKCS #1 v1.5, SHA-256), ECDSA by its curve, and Ed25519 sign. */
function signatureOf(key: KeyObject): readonly [Buffer, string | null] {
  const type = key.asymmetricKeyType
  if (type === 'rsa') return [sequence(oid('1.2.840.113549.1.1.11'), der(tags.null)), 'sha256']
  if (type === 'ed25519') return [sequence(oid('1.3.101.112')), null]
  if (type !== 'ec') return fail('error creating certificate: x509: only RSA, ECDSA and Ed25519 keys supported')
  const curve = key.asymmetricKeyDetails?.namedCurve
  if (curve === 'secp384r1') return [sequence(oid('1.2.840.10045.4.3.3')), 'sha384']
  return curve === 'secp521r1'
    ? [sequence(oid('1.2.840.10045.4.3.4')), 'sha512']
    : [sequence(oid('1.2.840.10045.4.3.2')), 'sha256']
}

/** A common name alone; none where it is empty. */
function nameOf(commonName: string): Buffer {
  if (commonName === '') return sequence()
  if (hasBadBytes(commonName)) fail('error creating certificate: asn1: string not valid UTF-8')
  const tag = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(commonName) ? tags.printable : tags.utf8
  return sequence(der(tags.set, sequence(oid('2.5.4.3'), der(tag, bytesOf(commonName)))))
}

/** Of two digits for the year until 2049. */
function timeOf(seconds: number): Buffer {
  const date = new Date(seconds * 1000)
  const year = date.getUTCFullYear()
  if (!(year >= 0 && year <= 9999))
    return fail('error creating certificate: asn1: structure error: cannot represent time as GeneralizedTime')
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, '')
  const short = year >= 1950 && year < 2050
  return der(short ? tags.utcTime : tags.time, Buffer.from(short ? digits.slice(2) : digits))
}

function extension(name: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(name), ...(critical ? [der(tags.boolean, Buffer.of(0xff))] : []), der(tags.octets, value))
}

function extensionsOf(request: CertificateRequest, publicKey: Uint8Array, authority: Uint8Array | undefined): readonly Buffer[] {
  // Digital signature and key encipherment; for an authority certificate signing.
  const usage = request.isAuthority ? Buffer.of(2, 0xa4) : Buffer.of(5, 0xa0)
  const purposes = sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))
  const made = [
    extension('2.5.29.15', true, der(tags.bits, usage)),
    extension('2.5.29.37', false, purposes),
    extension('2.5.29.19', true, request.isAuthority ? sequence(der(tags.boolean, Buffer.of(0xff))) : sequence()),
  ]
  if (request.isAuthority) made.push(extension('2.5.29.14', false, der(tags.octets, keyIdOf(publicKey))))
  if (authority !== undefined) made.push(extension('2.5.29.35', false, sequence(der(0x80, authority))))
  const names = [...request.dnsNames.map(dnsName), ...request.addresses.map(address => der(0x87, address))]
  if (names.length > 0) made.push(extension('2.5.29.17', request.commonName === '', sequence(...names)))
  return made
}

function dnsName(name: string): Buffer {
  if (!/^[\x00-\x7f]*$/.test(name)) fail(`error creating certificate: x509: ${quoted(name)} cannot be encoded as an IA5String`)
  return der(0x82, Buffer.from(name))
}

/** The first 160 bits of the SHA-256 of the key itself (RFC 7093, section 2, method 1). */
function keyIdOf(publicKey: Uint8Array): Uint8Array {
  const key = children(element(publicKey))[1]
  if (key === undefined) throw new DerError('no public key')
  return createHash('sha256').update(content(key).subarray(1)).digest().subarray(0, 20)
}
