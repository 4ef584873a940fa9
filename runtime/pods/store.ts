// Pods on disk, encrypted (AES-256-GCM: they hold Secret values), each whole in one file that is replaced at once.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { written } from '../failpoint.js'
import { dropUnfinished, replaceFile } from '../whole-file.js'
import type { PodLife } from './life.js'

export interface PodStore {
  /** Unreadable ones (another key, a torn file) are named, never touched. */
  load(): Promise<{
    readonly lives: readonly PodLife[]
    readonly unreadable: readonly { readonly uid: string; readonly problem: string }[]
  }>
  /** `durable`: survives a power cut once resolved. Saves of one pod take place in their order. */
  save(life: PodLife, durable?: boolean): Promise<void>
  remove(uid: string): Promise<void>
}

const magic = Buffer.from('SWP1')
const suffix = '.pod'

/** `key`: 32 bytes. Throws for another length. */
export function openPodStore(dir: string, key: Buffer): PodStore {
  if (key.length !== 32) throw new Error(`the key of the pod store has ${key.length} bytes; 32 are needed`)
  const made = mkdir(dir, { recursive: true, mode: 0o700 })
  const pathOf = (uid: string): string => join(dir, `${uid}${suffix}`)
  const turns = new Map<string, Promise<void>>()
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
      const names = (await readdir(dir)).filter(name => name.endsWith(suffix))
      const lives: PodLife[] = []
      const unreadable: { uid: string; problem: string }[] = []
      for (const name of names) {
        const uid = name.slice(0, -suffix.length)
        try {
          lives.push(JSON.parse(unseal(await readFile(pathOf(uid)), key, uid)) as PodLife)
        } catch (error) {
          unreadable.push({ uid, problem: (error as Error).message })
        }
      }
      return { lives, unreadable }
    },
    save: (life, durable = false) =>
      inTurn(life.record.uid, () =>
        written('runtime.pod.saved', () =>
          replaceFile(pathOf(life.record.uid), seal(JSON.stringify(life), key, life.record.uid), durable),
        ),
      ),
    remove: uid => inTurn(uid, () => written('runtime.pod.forgotten', () => rm(pathOf(uid), { force: true }))),
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
