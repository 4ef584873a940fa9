// The image that holds a pod's network while its containers come and go: one static program that does nothing, written out
// as machine code, so that no registry is needed.
import type { Docker } from './client.js'
import { isEngineError } from './errors.js'
import { imageArchive, imageParts } from './image-archive.js'

type Architecture = 'amd64' | 'arm64'

/** Loads it where it is not yet there; gives its id. Throws for a machine that is neither amd64 nor arm64. */
export async function ensurePauseImage(docker: Docker, signal: AbortSignal): Promise<string> {
  const image = pauseImage(architectureOf((await docker.version(signal)).Arch ?? ''))
  try {
    await docker.images.inspect(image.id, signal)
  } catch (error) {
    if (!isEngineError(error, 'notFound')) throw error
    await docker.images.load(image.archive, signal)
  }
  return image.id
}

function architectureOf(name: string): Architecture {
  if (name === 'amd64' || name === 'x86_64') return 'amd64'
  if (name === 'arm64' || name === 'aarch64') return 'arm64'
  throw new Error(`pods of several containers run on amd64 and arm64 machines; this engine's is "${name}"`)
}

/** A docker-archive and the id that the engine will give it. */
export function pauseImage(architecture: Architecture): { readonly id: string; readonly archive: Buffer } {
  const entries = [{ path: 'pause', content: pauseProgram(architecture), mode: 0o755 }]
  return imageArchive('slipway/pause:1', imageParts(entries, { Entrypoint: ['/pause'] }, architecture))
}

/**
 * An ELF file of one segment: sigaction(SIGCHLD, ignore, no zombies), then sleep for ever. As PID 1 of a shared process
 * namespace it thereby leaves no zombies; SIGTERM has no effect on a PID 1 without a handler, SIGKILL ends it.
 */
export function pauseProgram(architecture: Architecture): Buffer {
  const code = architecture === 'amd64' ? amd64Code() : arm64Code()
  const action = Buffer.alloc(32)
  action.writeBigUInt64LE(1n, 0) // SIG_IGN
  action.writeBigUInt64LE(2n, 8) // SA_NOCLDWAIT
  return Buffer.concat([elfHeaders(architecture, code.length + action.length), code, action])
}

const loadAddress = 0x400000n
const headersSize = 120n

function elfHeaders(architecture: Architecture, size: number): Buffer {
  const out = Buffer.alloc(Number(headersSize))
  out.write('\x7fELF\x02\x01\x01', 0, 'latin1')
  out.writeUInt16LE(2, 16) // executable
  out.writeUInt16LE(architecture === 'amd64' ? 62 : 183, 18)
  out.writeUInt32LE(1, 20)
  out.writeBigUInt64LE(loadAddress + headersSize, 24) // entry
  out.writeBigUInt64LE(64n, 32) // program headers follow
  out.writeUInt16LE(64, 52)
  out.writeUInt16LE(56, 54)
  out.writeUInt16LE(1, 56)
  out.writeUInt32LE(1, 64) // loadable
  out.writeUInt32LE(5, 68) // read, execute
  out.writeBigUInt64LE(loadAddress, 80)
  out.writeBigUInt64LE(loadAddress, 88)
  out.writeBigUInt64LE(headersSize + BigInt(size), 96)
  out.writeBigUInt64LE(headersSize + BigInt(size), 104)
  out.writeBigUInt64LE(0x10000n, 112)
  return out
}

function amd64Code(): Buffer {
  return Buffer.from(
    [
      'b8 0d 00 00 00', // mov eax, 13 (rt_sigaction)
      'bf 11 00 00 00', // mov edi, 17 (SIGCHLD)
      '48 8d 35 13 00 00 00', // lea rsi, [rip + 19] (the action, after the code)
      '31 d2', // xor edx, edx
      '41 ba 08 00 00 00', // mov r10d, 8
      '0f 05', // syscall
      'b8 22 00 00 00', // mov eax, 34 (pause)
      '0f 05', // syscall
      'eb f7', // back to the mov
    ]
      .join('')
      .replaceAll(' ', ''),
    'hex',
  )
}

function arm64Code(): Buffer {
  const move = (register: number, value: number): number => (0xd2800000 | (value << 5) | register) >>> 0
  const address = (register: number, distance: number): number =>
    (0x10000000 | ((distance & 3) << 29) | ((distance >> 2) << 5) | register) >>> 0
  const call = 0xd4000001
  const words = [
    move(8, 134), // rt_sigaction
    move(0, 17), // SIGCHLD
    address(1, 4 * 13), // the action, after the code
    move(2, 0),
    move(3, 8),
    call,
    move(0, 0),
    move(1, 0),
    move(2, 0),
    move(3, 0),
    move(4, 0),
    move(8, 73), // ppoll with nothing to wait for
    call,
    0x17fffff9, // back seven words
  ]
  words.push(0xd503201f) // nop: the action lies at a multiple of 8
  const out = Buffer.alloc(words.length * 4)
  for (const [index, word] of words.entries()) out.writeUInt32LE(word, index * 4)
  return out
}
