// What is kept with a place for the day the controller's store is lost: ledger, declaration and releases, readable by us alone.
import { compress, decompress } from '../../../runtime/contract/frame.js'
import type { Manifest } from '../../../runtime/contract/manifest.js'
import { openWith, sealWith } from '../../../runtime/contract/seal.js'
import type { Ledger } from '../../ledger.js'
import type { Release, ReleaseId } from '../../release.js'

export interface Kept {
  readonly ledger: Ledger
  /** The Application as declared. */
  readonly declaration: Manifest
  /** Those that the ledger may go back to. */
  readonly releases: readonly Release[]
}

/** Packs for one controller; each release is sealed once and remembered, since it never changes. */
export function createPacker(storage: Uint8Array) {
  const sealedReleases = new Map<ReleaseId, string>()
  const sealRelease = (release: Release): string => {
    const before = sealedReleases.get(release.id)
    const sealed = before ?? Buffer.from(sealWith(storage, compress(release), `kept release ${release.id}`)).toString('base64')
    sealedReleases.delete(release.id)
    sealedReleases.set(release.id, sealed)
    if (sealedReleases.size > 1_000) sealedReleases.delete(sealedReleases.keys().next().value!)
    return sealed
  }
  const pack = (node: string, { ledger, declaration, releases }: Kept): string =>
    JSON.stringify({
      kept: Buffer.from(sealWith(storage, compress({ ledger, declaration }), context(node, ledger.application.name))).toString(
        'base64',
      ),
      releases: Object.fromEntries(releases.map(release => [release.id, sealRelease(release)])),
    })
  /** null where nothing is kept. Throws SealError or FrameError when it is not ours. */
  const unpack = (node: string, application: string, packed: string): Kept | null => {
    if (packed === '') return null
    const { kept, releases } = JSON.parse(packed) as {
      readonly kept: string
      readonly releases: Readonly<Record<string, string>>
    }
    const opened = decompress(
      openWith(storage, Buffer.from(kept, 'base64'), context(node, application)),
      `ledger of ${application}`,
    )
    return {
      ...(opened as Pick<Kept, 'ledger' | 'declaration'>),
      releases: Object.entries(releases).map(([id, sealed]) => {
        const bytes = openWith(storage, Buffer.from(sealed, 'base64'), `kept release ${id}`)
        return decompress(bytes, `release ${id}`) as Release
      }),
    }
  }
  return { pack, unpack }
}

function context(node: string, application: string): string {
  return `kept ledger ${node}/${application}`
}
