// Is a live object still what was applied? Known as long as no field of ours became another's; else found out by a dry run, once a
// version of it, with who changed what.
import type { FieldDrift } from '../../../runtime/contract/documents.js'
import { contentHash, manifestHash } from '../../../runtime/contract/hash.js'
import { type Manifest, refKey, refOf } from '../../../runtime/contract/manifest.js'
import type { Application } from '../../application.js'
import { optionsOf } from '../../release/options.js'
import type { Cache, Entry } from './cache.js'
import { compared } from './compare.js'
import { type AskJq, ignoredPaths, rulesFor } from './ignored.js'
import type { Scales } from './scale.js'
import { scaledBy, withoutReplicas } from './seen.js'
import { applyObject, inParallel, liveAs, type Write, type Written } from './write.js'

export interface Proving {
  /** Hash of the manifest that it is known to be; '' where it is another, or not known to be any. */
  hashOf(entry: Entry): string
  driftOf(entry: Entry): readonly FieldDrift[]
  /** It was written just now. */
  applied(app: Application, object: Manifest, entry: Entry, isScaled: boolean, signal: AbortSignal): Promise<void>
  /** Nothing is known of it. */
  forget(key: string): void
  /** Finds out of each of these what is not known. */
  prove(app: Application, objects: readonly Manifest[], signal: AbortSignal): Promise<void>
}

export interface ProvingOptions {
  readonly write: Write
  readonly cache: Cache
  /** Key of an object as the server has it. */
  readonly keyOf: (object: Manifest) => string
  readonly jq: AskJq
  readonly scales: Scales
}

interface Proof {
  readonly uid: string
  readonly owned: string
  readonly hash: string
  /** Of what is not compared. */
  readonly rules: string
  /** Its replicas were left to an autoscaler. */
  readonly scaled: boolean
}

interface Drifted {
  readonly uid: string
  readonly version: string
  readonly wanted: string
  readonly rules: string
  readonly fields: readonly FieldDrift[]
}

const atOnce = 12

export function createProving({ write, cache, keyOf, jq, scales }: ProvingOptions): Proving {
  const proofs = new Map<string, Proof>()
  const drifted = new Map<string, Drifted>()

  function proofOf(entry: Entry): Proof | undefined {
    const proof = proofs.get(entry.key)
    return proof !== undefined && proof.uid === entry.uid && proof.owned === entry.owned ? proof : undefined
  }

  function isSettled(app: Application, entry: Entry, object: Manifest, scaled: boolean): boolean {
    const hash = manifestHash(object)
    const rules = rulesHash(app)
    const [proof, drift] = [proofOf(entry), drifted.get(entry.key)]
    if (proof !== undefined && proof.scaled !== scaled) proofs.delete(entry.key)
    else if (proof?.hash === hash && proof.rules === rules) return true
    return drift !== undefined && drift.version === entry.version && drift.wanted === hash && drift.rules === rules
  }

  function settle(app: Application, entry: Entry, object: Manifest, scaled: boolean, fields: readonly FieldDrift[]): void {
    const [hash, rules] = [manifestHash(object), rulesHash(app)]
    if (fields.length > 0) {
      proofs.delete(entry.key)
      drifted.set(entry.key, { uid: entry.uid, version: entry.version, wanted: hash, rules, fields })
      return
    }
    drifted.delete(entry.key)
    proofs.set(entry.key, { uid: entry.uid, owned: entry.owned, hash, rules, scaled })
  }

  async function difference(
    app: Application,
    object: Manifest,
    entry: Entry,
    isScaled: boolean,
    signal: AbortSignal,
  ): Promise<readonly FieldDrift[]> {
    const { validate } = optionsOf(app.sync.options, object)
    const how = {
      application: app.name,
      attempt: entry.applied?.attempt ?? 0,
      dryRun: true,
      validate,
      ...(isScaled ? { as: withoutReplicas(object, entry) } : {}),
    }
    const answer = await applyObject(write, object, how, signal)
    if (answer.kind !== 'written') return [unasked(answer)]
    const live = await liveAs(write, object, signal)
    if (live === null) return [whole('it is not there')]
    const rules = rulesFor(app.ignoreDifferences, entry.ref)
    try {
      const ignored = {
        live: await ignoredPaths(rules, live, live, jq),
        predicted: await ignoredPaths(rules, answer.object, live, jq),
      }
      return compared({ live, predicted: answer.object, ignored })
    } catch (error) {
      return [whole(`spec.ignoreDifferences cannot be heeded: ${(error as Error).message}`)]
    }
  }

  return {
    hashOf: entry => proofOf(entry)?.hash ?? '',
    driftOf: entry => {
      const drift = drifted.get(entry.key)
      // Of an earlier version too: its status may have changed since, and nobody has compared it again yet.
      return drift?.uid === entry.uid && proofOf(entry) === undefined ? drift.fields : []
    },
    async applied(app, object, entry, isScaled, signal) {
      settle(app, entry, object, isScaled || (await scales(entry, signal)), [])
    },
    forget(key) {
      proofs.delete(key)
      drifted.delete(key)
    },
    async prove(app, objects, signal) {
      const scaled = scaledBy(objects)
      const there = objects.flatMap(object => {
        const entry = cache.get(keyOf(object))
        const isForeign = entry !== undefined && entry.application !== '' && entry.application !== app.name
        return entry === undefined || isForeign ? [] : [{ object, entry }]
      })
      const decided = await inParallel(there, atOnce, async ({ object, entry }) => {
        const isScaled = scaled.has(refKey(refOf(object))) || (await scales(entry, signal))
        return { object, entry, isScaled }
      })
      const open = decided.filter(({ object, entry, isScaled }) => !isSettled(app, entry, object, isScaled))
      await inParallel(open, atOnce, async ({ object, entry, isScaled }) =>
        settle(app, entry, object, isScaled, await difference(app, object, entry, isScaled, signal)),
      )
    },
  }
}

/** What a difference is ignored by, of the whole application: another rule, another look. */
function rulesHash({ ignoreDifferences }: Application): string {
  return ignoreDifferences.length === 0 ? '' : contentHash(ignoreDifferences)
}

function unasked(answer: Exclude<Written, { kind: 'written' }>): FieldDrift {
  return whole(answer.kind === 'refused' ? answer.message : 'its kind is not known here any more')
}

/** Of the object as a whole: why it cannot be compared. */
function whole(want: string): FieldDrift {
  return { path: '', live: '', want, manager: '', at: '' }
}
