// What the node keeps on its own disk: the last document it obeyed of each application, and what its planners remember. Sealed, whole.
import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { DesiredDocument } from './contract/documents.js'
import { compress, decompress } from './contract/frame.js'
import { openWith, sealWith } from './contract/seal.js'
import { decodeToken, encodeToken } from './contract/subjects.js'
import { type Endings, endingsLost, noEndings, readEndings, withUnread } from './endings.js'
import { written } from './failpoint.js'
import { copyBeside, copyOf, dropUnfinished, type Read, readKept, removeKept, replaceFile } from './whole-file.js'
import type { NodeMemory } from './workloads/node.js'

export interface NodeState {
  /** All documents obeyed, tombstones included. `broken`: files that could not be read, each with what is done without it. */
  load(): Promise<{
    readonly documents: readonly DesiredDocument[]
    readonly memory: NodeMemory
    readonly endings: Endings
    readonly broken: readonly string[]
  }>
  /** On disk for good when it resolves. */
  saveDocument(document: DesiredDocument): Promise<void>
  saveMemory(memory: NodeMemory): Promise<void>
  /** First what is left of it, then the document goes. */
  forget(application: string, endings: Endings): Promise<void>
}

/** `key`: 32 bytes of the node's own, for documents hold Secret values. Each file lies there twice: one that is broken costs nothing. */
export function openState(directory: string, key: Uint8Array): NodeState {
  const documents = join(directory, 'documents')
  const memoryFile = join(directory, 'memory')
  const endingsFile = join(directory, 'endings')
  const fileOf = (application: string) => join(documents, `${encodeToken(application)}${suffix}`)
  const read = <T>(path: string, parse: (value: unknown) => T) =>
    readKept(path, true, content => parse(decompress(openWith(key, content, context), path)))
  return {
    async load() {
      await mkdir(documents, { recursive: true, mode: 0o700 })
      for (const place of [directory, documents]) await dropUnfinished(place)
      const names = await namesIn(documents)
      const found = names.map(name => read(join(documents, name), value => value as DesiredDocument))
      const memory = read(memoryFile, value => value as NodeMemory)
      const endings = read(endingsFile, readEndings)
      const whole = found.flatMap(({ value }) => (value === null ? [] : [value]))
      const unread = names.filter((_, at) => found[at]!.value === null)
      const known = endings.value ?? (endings.fault === '' ? noEndings : endingsLost(whole))
      return {
        documents: whole,
        memory: memory.value ?? {},
        endings: withUnread(
          known,
          unread.map(name => decodeToken(name.slice(0, -suffix.length))),
        ),
        broken: [
          ...found.flatMap(one => said(one, 'what runs of it is left as it is until its controller says again what should')),
          ...said(memory, 'what the planners remembered is made anew from the pods'),
          ...said(endings, 'of what ended here before, an old order of this epoch would be obeyed again'),
        ],
      }
    },
    async saveDocument(document) {
      await written('runtime.document.saved', () => writeSealed(fileOf(document.application.name), document, key))
    },
    async saveMemory(memory) {
      await written('runtime.memory.saved', () => writeSealed(memoryFile, memory, key))
    },
    async forget(application, endings) {
      await written('runtime.endings.saved', () => writeSealed(endingsFile, endings, key))
      await written('runtime.document.forgotten', () => removeKept(fileOf(application)))
    },
  }
}

function said({ value, fault }: Read<unknown>, without: string): readonly string[] {
  if (fault === '') return []
  return [value === null ? `${fault}; ${without}` : fault]
}

const context = 'slipway node state v1'
const suffix = '.doc'

/** With those of which only the copy is left. */
async function namesIn(documents: string): Promise<readonly string[]> {
  const names = (await readdir(documents)).map(name => basename(name, copyOf('')))
  return [...new Set(names)].filter(name => name.endsWith(suffix))
}

async function writeSealed(path: string, value: unknown, key: Uint8Array): Promise<void> {
  try {
    const content = sealWith(key, compress(value), context)
    await replaceFile(path, content, true)
    copyBeside(path, content)
  } catch (error) {
    throw new Error(`writing ${path}: nothing new is obeyed until it can be written`, { cause: error })
  }
}
