// Pods on disk, encrypted (AES-256-GCM: they hold Secret values), each whole in one file that is replaced at once; what was decided of it
// lies there a second time, since what happened to it the engine can tell, too.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { written } from '../failpoint.js'
import { copyBeside, copyOf, dropUnfinished, readKept, removeKept, replaceFile } from '../whole-file.js'
import type { PodLife } from './life.js'
import type { PodRecord } from './types.js'

export interface PodStore {
  /**
   * Of a file that cannot be read (a torn one) the copy counts: the pod as it was when it was made, or last changed hands. Where that
   * cannot be read either (another key) the pod is named as `unreadable`, and its files are left.
   */
  load(): Promise<{
    readonly lives: readonly PodLife[]
    readonly copied: readonly Unread[]
    readonly unreadable: readonly Unread[]
  }>
  /** `durable`: survives a power cut once resolved. Saves of one pod take place in their order. */
  save(life: PodLife, durable?: boolean): Promise<void>
  remove(uid: string): Promise<void>
}

export interface Unread {
  readonly uid: string
  readonly problem: string
}

const magic = Buffer.from('SWP1')
const suffix = '.pod'

/** `key`: 32 bytes. Throws for another length. */
export function openPodStore(dir: string, key: Buffer): PodStore {
  if (key.length !== 32) throw new Error(`the key of the pod store has ${key.length} bytes; 32 are needed`)
  const made = mkdir(dir, { recursive: true, mode: 0o700 })
  const pathOf = (uid: string): string => join(dir, `${uid}${suffix}`)
  const turns = new Map<string, Promise<void>>()
  /** What the copy of each pod says. */
  const decided = new Map<string, PodRecord>()
  const inTurn = (uid: string, work: () => Promise<void>): Promise<void> => {
    const turn = (turns.get(uid) ?? made.then(() => undefined)).catch(() => undefined).then(work)
    turns.set(uid, turn)
    const done = (): void => {
      if (turns.get(uid) === turn) turns.delete(uid)
    }
    turn.then(done, done)
    return turn
  }
  return {
    load: async () => {
      await made
      await dropUnfinished(dir)
      const names = (await readdir(dir)).map(name => basename(name, copyOf(''))).filter(name => name.endsWith(suffix))
      const [lives, copied, unreadable]: [PodLife[], Unread[], Unread[]] = [[], [], []]
      for (const uid of new Set(names.map(name => name.slice(0, -suffix.length)))) {
        const open = (content: Buffer) => JSON.parse(unseal(content, key, uid)) as PodLife
        const { value, fault } = readKept(pathOf(uid), false, open)
        if (value !== null) lives.push(value)
        if (fault !== '') (value === null ? unreadable : copied).push({ uid, problem: fault })
      }
      return { lives, copied, unreadable }
    },
    save: (life, durable = false) =>
      inTurn(life.record.uid, () =>
        written('runtime.pod.saved', async () => {
          const { uid } = life.record
          const content = seal(JSON.stringify(life), key, uid)
          await replaceFile(pathOf(uid), content, durable)
          if (decided.get(uid) !== life.record) copyBeside(pathOf(uid), content)
          decided.set(uid, life.record)
        }),
      ),
    remove: uid =>
      inTurn(uid, () =>
        written('runtime.pod.forgotten', async () => {
          decided.delete(uid)
          await removeKept(pathOf(uid))
        }),
      ),
  }
}

/** The uid is bound in: one pod's file does not pass for another's. */
function seal(text: string, key: Buffer, uid: string): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(uid))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([magic, nonce, cipher.getAuthTag(), sealed])
}

function unseal(content: Buffer, key: Buffer, uid: string): string {
  if (!content.subarray(0, 4).equals(magic)) throw new Error('not a pod file')
  const decipher = createDecipheriv('aes-256-gcm', key, content.subarray(4, 16)).setAAD(Buffer.from(uid))
  decipher.setAuthTag(content.subarray(16, 32))
  return Buffer.concat([decipher.update(content.subarray(32)), decipher.final()]).toString('utf8')
}
