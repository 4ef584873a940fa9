import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { nkeyAuthenticator } from 'nats'
import { test } from 'tap'
import { ChunkError, cut, join, pointerOf } from '../../runtime/contract/chunks.js'
import type { DesiredDocument, ReportDocument } from '../../runtime/contract/documents.js'
import {
  encodeDesired,
  encodeReport,
  encodeReturned,
  FrameError,
  parseDesired,
  parseReport,
  parseReturned,
  verifyDesired,
} from '../../runtime/contract/frame.js'
import { createNatsKey, fingerprint, natsKeyFrom, openControllerKeys, openNodeKeys } from '../../runtime/contract/keys.js'
import { openSealed, openWith, SealError, sealTo, sealWith } from '../../runtime/contract/seal.js'
import {
  authorizationBlock,
  decodeToken,
  documentKey,
  encodeToken,
  eventSubject,
  parseDocumentKey,
} from '../../runtime/contract/subjects.js'

const canary = 'canary-8a1f-do-not-leak'

function desired(fields: Partial<DesiredDocument> = {}): DesiredDocument {
  return {
    contract: 1,
    node: 'n1',
    application: { name: 'shop', uid: 'u1' },
    epoch: 7,
    generation: 3,
    attempt: 2,
    release: 'rel-1',
    commit: 'c0ffee',
    deleted: false,
    letGo: false,
    objects: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { password: canary } }],
    digests: { 'apps/Deployment/shop/web': { 'web:1': 'sha256:aa' } },
    preflight: {
      release: 'rel-2',
      objects: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { password: canary } }],
      digests: {},
      round: 1,
    },
    ledger: canary,
    ...fields,
  }
}

function report(fields: Partial<ReportDocument> = {}): ReportDocument {
  return {
    contract: 1,
    node: 'n1',
    application: { name: 'shop', uid: 'u1' },
    epoch: 7,
    generation: 3,
    release: 'rel-1',
    attempt: 2,
    at: '2026-01-01T00:00:00Z',
    deleted: false,
    preflight: null,
    objects: [],
    pods: [],
    ledgerHash: canary,
    ...fields,
  }
}

async function keys(t: { teardown: (end: () => unknown) => void }) {
  const directory = await mkdtemp(joinPath(tmpdir(), 'slipway-keys-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return {
    directory,
    controller: await openControllerKeys(joinPath(directory, 'controller')),
    foreign: await openControllerKeys(joinPath(directory, 'foreign')),
    node: await openNodeKeys(joinPath(directory, 'n1')),
    other: await openNodeKeys(joinPath(directory, 'n2')),
  }
}

const here = { node: 'n1', application: 'shop' }

test('a desired document comes back as it was, and shows nothing of its content on the way', async t => {
  const { controller, node } = await keys(t)

  const bytes = encodeDesired(desired(), controller.signing.privateKey, [node.sealing.publicKey])

  t.same(parseDesired(bytes, controller.signing.publicKey, node.sealing.privateKey, here), desired())
  t.equal(verifyDesired(bytes, controller.signing.publicKey).generation, 3)
  for (const form of [canary, Buffer.from(canary).toString('base64').slice(0, 20), 'stringData', 'sha256:aa']) {
    t.notOk(Buffer.from(bytes).includes(form), `no ${form} in the frame`)
  }
})

test('a document that was changed, signed by another, or found in another place is refused', async t => {
  const { controller, foreign, node, other } = await keys(t)
  const bytes = Buffer.from(encodeDesired(desired(), controller.signing.privateKey, [node.sealing.publicKey]))
  const parse =
    (frame: Uint8Array, where = here, key = node.sealing.privateKey) =>
    () =>
      parseDesired(frame, controller.signing.publicKey, key, where)
  const changed = (at: number) => Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)))
  const text = bytes.toString('latin1')

  t.throws(parse(encodeDesired(desired(), foreign.signing.privateKey, [node.sealing.publicKey])), {
    name: 'FrameError',
    message: /not signed by the controller/,
  })
  t.throws(parse(Buffer.from(text.replace('"generation":3', '"generation":9'), 'latin1')), {
    message: /not signed by the controller/,
  })
  t.throws(parse(changed(bytes.length - 1)), { message: /not the one that was signed/ })
  t.throws(parse(changed(3)), FrameError)
  t.throws(parse(bytes.subarray(0, bytes.length - 40)), { message: /not the one that was signed/ })
  t.throws(parse(bytes.subarray(0, 20)), { message: /cut short/ })
  t.throws(parse(bytes, { node: 'n1', application: 'other' }), { message: /found under the key of n1\/other/ })
  t.throws(parse(bytes, { node: 'n2', application: 'shop' }), { message: /found under the key of n2\/shop/ })
  t.throws(parse(bytes, here, other.sealing.privateKey), { message: /cannot be opened/ })
  t.throws(parse(Buffer.alloc(0)), FrameError)
})

test('neighbouring contract versions and unknown fields are understood, others are refused by name', async t => {
  const { controller, node } = await keys(t)
  const send = (document: object) =>
    parseDesired(
      encodeDesired(document as DesiredDocument, controller.signing.privateKey, [node.sealing.publicKey]),
      controller.signing.publicKey,
      node.sealing.privateKey,
      here,
    )

  t.equal(send(desired({ contract: 2 })).contract, 2)
  t.throws(() => send(desired({ contract: 3 })), { message: /contract version 3, this side speaks 1/ })
  t.throws(() => send({ ...desired(), objects: [{ apiVersion: 'v1', kind: 'Pod', metadata: {} }] }), {
    message: /objects\[0\].metadata: name is missing/,
  })
  t.throws(() => send({ ...desired(), objects: 'none' }), { message: /objects: expected a list/ })
  t.throws(() => send({ ...desired(), digests: { web: { 'web:1': 4 } } }), {
    message: /digests: web: web:1 is no string but number/,
  })
  t.throws(() => send({ ...desired(), epoch: 1.5 }), { message: /epoch is no whole number/ })
  const future = report({ contract: 2, surprise: true } as Partial<ReportDocument>)
  t.equal(parseReport(encodeReport(future, controller.sealing.publicKey), controller.sealing.privateKey, here).contract, 2)
})

test('a report and a document given back are for the controller alone, and for the key they lie under', async t => {
  const { controller, foreign } = await keys(t)
  const bytes = encodeReport(report(), controller.sealing.publicKey)
  const returned = encodeReturned(desired(), controller.sealing.publicKey)

  t.same(parseReport(bytes, controller.sealing.privateKey, here), report())
  t.same(parseReturned(returned, controller.sealing.privateKey, here), desired())
  const sealedFor = { ...desired(), application: { name: 'shop', uid: 'u1' } }
  t.throws(
    () =>
      parseReturned(encodeReturned(sealedFor, controller.sealing.publicKey), controller.sealing.privateKey, {
        node: 'n2',
        application: 'shop',
      }),
    FrameError,
  )
  t.notOk(Buffer.from(bytes).includes(canary) || Buffer.from(returned).includes(canary))
  t.throws(() => parseReport(bytes, foreign.sealing.privateKey, here), {
    name: 'FrameError',
    message: /report of n1\/shop: .*cannot be opened/,
  })
  t.throws(() => parseReport(bytes, controller.sealing.privateKey, { node: 'n2', application: 'shop' }), FrameError)
  t.throws(() => parseReport(returned, controller.sealing.privateKey, here), FrameError)
})

test('what is sealed opens with its key and in its context only', async t => {
  const { controller, foreign } = await keys(t)
  const sealed = sealTo(controller.sealing.publicKey, Buffer.from(canary), 'here')
  const kept = sealWith(controller.storage, Buffer.from(canary), 'here')

  t.equal(Buffer.from(openSealed(controller.sealing.privateKey, sealed, 'here')).toString(), canary)
  t.equal(Buffer.from(openWith(controller.storage, kept, 'here')).toString(), canary)
  t.throws(() => openSealed(controller.sealing.privateKey, sealed, 'there'), SealError)
  t.throws(() => openWith(controller.storage, kept, 'there'), SealError)
  t.throws(() => openWith(foreign.storage, kept, 'here'), SealError)
  t.throws(() => openWith(controller.storage, Buffer.from('short'), 'here'), { message: /cut short/ })
  t.throws(() => openWith(controller.storage, Buffer.concat([Buffer.of(9), kept.subarray(1)]), 'here'), {
    message: /sealed by version 9/,
  })
})

test('key files are made once, for their owner alone, and are never written over', async t => {
  const { directory, controller } = await keys(t)
  const file = joinPath(directory, 'controller', 'signing.pem')
  const before = await readFile(file, 'utf8')

  const again = await openControllerKeys(joinPath(directory, 'controller'))
  t.same(again.identity, controller.identity)
  t.equal(again.nats.seed, controller.nats.seed)
  t.equal((await stat(file)).mode & 0o777, 0o600)
  t.match(fingerprint(controller.identity.signing), /^SHA256:[\w+/]{43}$/)

  await chmod(file, 0o644)
  await t.rejects(openControllerKeys(joinPath(directory, 'controller')), {
    message: /others can read this key \(mode 644\); run: chmod 600/,
  })
  await chmod(file, 0o600)
  for (const path of [file, `${file}.copy`]) await writeFile(path, 'damaged')
  await t.rejects(openControllerKeys(joinPath(directory, 'controller')), {
    message: /signing.pem: not the key that it should be: .*; restore it from a backup, or move it away, with its copy/,
  })
  t.equal(await readFile(file, 'utf8'), 'damaged')
  await writeFile(file, before)
  const [one, two] = await Promise.all([1, 2].map(() => openNodeKeys(joinPath(directory, 'at-once'))))
  t.equal(one?.nats.seed, two?.nats.seed, 'two that start at once agree')
})

test('an nkey of ours is one that the client accepts', t => {
  const key = createNatsKey()

  t.same(natsKeyFrom(key.seed), key)
  const answer = nkeyAuthenticator(Buffer.from(key.seed))('nonce') as { nkey: string; sig: string }
  t.equal(answer.nkey, key.public)
  t.throws(() => natsKeyFrom(key.seed.replace(/.$/, key.seed.endsWith('A') ? 'Q' : 'A')), /nkey seed/)
  t.throws(() => authorizationBlock('not-a-key', []), /not the public nkey/)
  t.end()
})

test('every name is one token, and no two names are the same one', t => {
  for (const name of ['shop', 'shop.eu', 'Shop_EU', 'a b', 'ü', '*', '>', '', '_', '_2e', 'a.*.>']) {
    t.match(encodeToken(name), /^[A-Za-z0-9_-]+$/, name)
    t.equal(decodeToken(encodeToken(name)), name)
  }
  t.equal(eventSubject('shop.eu', 'rolled-back'), 'slipway.events.shop_2eeu.rolled-back')
  t.same(parseDocumentKey(documentKey('n.1', 'shop.eu', 'head')), { node: 'n.1', application: 'shop.eu', kind: 'head' })
  t.equal(parseDocumentKey('n1.shop.chunk.a.0'), null)
  t.equal(parseDocumentKey('n1.shop.other'), null)
  t.end()
})

test('a large value is cut and joined; chunks of another writing are told apart', async t => {
  const bytes = Buffer.from(Array.from({ length: 2500 }, (_, index) => index % 251))
  const first = cut(bytes, 'a', 1000)
  const second = cut(Buffer.concat([bytes, Buffer.of(1)]), 'a', 1000)
  const read =
    (pieces: typeof first, without = -1) =>
    async (name: string) => {
      const at = pieces.chunks.findIndex(chunk => chunk.name === name)
      return at === without ? null : (pieces.chunks[at]?.bytes ?? null)
    }

  t.equal(first.chunks.length, 3)
  t.equal(pointerOf(first.head)?.count, 3)
  t.same(Buffer.from(await join(first.head, read(first))), bytes)
  await t.rejects(join(first.head, read(second)), ChunkError)
  await t.rejects(join(first.head, read(first, 1)), { message: 'chunk 2 of 3 is missing' })
  await t.rejects(join(Buffer.from('#{}'), read(first)), ChunkError)
  await t.rejects(join(Buffer.from('garbage'), read(first)), ChunkError)
  const small = cut(Buffer.from('small'), 'a', 1000)
  t.same(small.chunks, [])
  t.equal(Buffer.from(await join(small.head, read(first))).toString(), 'small')
})

test('whichever key file is broken, its copy counts and it is said; what a person puts there counts before the copy', async t => {
  const damages: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    empty: path => writeFile(path, ''),
    'cut short': async path => writeFile(path, (await readFile(path, 'utf8')).slice(0, -9)),
    garbage: path => writeFile(path, 'garbage'),
    gone: path => rm(path),
  }
  const { directory, controller } = await keys(t)
  const place = joinPath(directory, 'controller')
  for (const name of ['signing.pem', 'sealing.pem', 'nats.seed'])
    for (const [damage, spoil] of Object.entries(damages))
      for (const end of ['', '.copy']) {
        await spoil(joinPath(place, `${name}${end}`))

        const opened = await openControllerKeys(place)
        const again = await openControllerKeys(place)

        t.same([opened.identity, opened.nats], [controller.identity, controller.nats], `${name}${end} ${damage}`)
        t.match(opened.faults, end === '' ? [new RegExp(`${name}: .*; its copy is used`)] : [], `${name}${end} ${damage}`)
        t.same(again.faults, [], 'mended')
        t.equal((await stat(joinPath(place, `${name}${end}`))).mode & 0o777, 0o600)
      }

  const other = await openControllerKeys(joinPath(directory, 'other'))
  await writeFile(joinPath(place, 'nats.seed'), `${other.nats.seed}\n`)
  t.equal((await openControllerKeys(place)).nats.seed, other.nats.seed)
  await writeFile(joinPath(place, 'nats.seed'), 'garbage')
  t.equal((await openControllerKeys(place)).nats.seed, other.nats.seed, 'the copy of what was put there')
})
