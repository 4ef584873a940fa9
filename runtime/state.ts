// What the node keeps on its own disk: the last document it obeyed of each application, and what its planners remember. Sealed, whole or not at all.
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DesiredDocument } from './contract/documents.js'
import { compress, decompress } from './contract/frame.js'
import { openWith, sealWith } from './contract/seal.js'
import { encodeToken } from './contract/subjects.js'
import { type Endings, noEndings } from './endings.js'
import { written } from './failpoint.js'
import { dropUnfinished, replaceFile } from './whole-file.js'
import type { NodeMemory } from './workloads/node.js'

export interface NodeState {
  /** All documents obeyed, tombstones included. `broken`: files that could not be read; they are kept aside, and named. */
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

/** `key`: 32 bytes of the node's own, for documents hold Secret values. */
export function openState(directory: string, key: Uint8Array): NodeState {
  const documents = join(directory, 'documents')
  const memoryFile = join(directory, 'memory')
  const endingsFile = join(directory, 'endings')
  const fileOf = (application: string) => join(documents, `${encodeToken(application)}.doc`)
  return {
    async load() {
      await mkdir(documents, { recursive: true, mode: 0o700 })
      for (const place of [directory, documents]) await dropUnfinished(place)
      const names = (await readdir(documents)).filter(name => name.endsWith('.doc'))
      const read = await Promise.all(names.map(name => readSealed<DesiredDocument>(join(documents, name), key)))
      const memory = await readSealed<NodeMemory>(memoryFile, key)
      const endings = await readSealed<Endings>(endingsFile, key)
      const files = [...read, memory, endings]
      return {
        documents: read.flatMap(file => (file.value === null ? [] : [file.value])),
        memory: memory.value ?? {},
        endings: endings.value ?? noEndings,
        broken: files.flatMap(file => (file.broken === null ? [] : [file.broken])),
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
      await written('runtime.document.forgotten', () => rm(fileOf(application), { force: true }))
    },
  }
}

const context = 'slipway node state v1'

/** A file that does not open is renamed, never overwritten unseen: it may be all that is left. */
async function readSealed<T>(
  path: string,
  key: Uint8Array,
): Promise<{ readonly value: T | null; readonly broken: string | null }> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { value: null, broken: null }
    throw new Error(`reading ${path}`, { cause: error })
  }
  try {
    return { value: decompress(openWith(key, bytes, context), path) as T, broken: null }
  } catch (error) {
    await rename(path, `${path}.broken`)
    return { value: null, broken: `${path}: ${(error as Error).message}; kept as ${path}.broken` }
  }
}

async function writeSealed(path: string, value: unknown, key: Uint8Array): Promise<void> {
  try {
    await replaceFile(path, sealWith(key, compress(value), context), true)
  } catch (error) {
    throw new Error(`writing ${path}: nothing new is obeyed until it can be written`, { cause: error })
  }
}
