// Random histories through the toy world, held against the invariants of release.md. `SLIPWAY_WALKS` sets how many, `SLIPWAY_SEED` the first.
import t from 'tap'
import { goodRelease, isRollingBack, isUnderWay } from '../../controller/ledger.js'
import type { Release, ReleaseId } from '../../controller/release.js'
import { configMap, deployment, hook, release, service, wave } from './builders.js'
import { type Look, World } from './world.js'

const walks = Number(process.env.SLIPWAY_WALKS ?? 1000)
const firstSeed = Number(process.env.SLIPWAY_SEED ?? 1)

type Random = () => number

/** mulberry32: small, fast, the same on every machine. */
function randomOf(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!
}

const images = ['good', 'good', 'good', 'good', 'crash', 'never', 'oom', 'late', 'db', 'heals', 'missing', 'slow']

function anyRelease(random: Random, serial: number): Release {
  const image = `${pick(random, images)}:${serial}`
  const recreate = random() < 0.15
  const replicas = 1 + Math.floor(random() * 2)
  const objects = [deployment('web', image, { recreate, replicas })]
  if (random() < 0.3)
    objects.push(deployment('api', `${pick(random, ['good', 'crash', 'never'])}:${random() < 0.5 ? 0 : serial}`, wave(1)))
  if (random() < 0.2)
    objects.push(hook('migrate', `${pick(random, ['ok', 'ok', 'fail', 'long'])}:${random() < 0.4 ? 0 : serial}`))
  if (random() < 0.1) objects.push(hook('smoke', `${pick(random, ['ok', 'fail'])}:${serial}`, 'PostSync'))
  if (random() < 0.1) objects.push(hook('tell', 'ok:0', 'SyncFail'))
  if (random() < 0.3) objects.push(configMap(`extra-${Math.floor(random() * 3)}`, 'x'))
  if (random() < 0.2) objects.push(service(`port-${Math.floor(random() * 3)}`, 30_080))
  return release(...objects)
}

/** One history: what happened, in words, and what broke. */
class Walk {
  readonly world: World
  readonly told: string[] = []
  readonly broken: string[] = []
  private readonly random: Random
  private readonly made: Release[] = []
  private readonly passed = new Set<string>()
  private readonly ran = new Set<string>()
  /** How often each release was made current since the last input from outside. */
  private turns = new Map<string, number>()
  private serial = 0

  constructor(seed: number) {
    this.random = randomOf(seed)
    const random = this.random
    const rollout = {
      onFailure: random() < 0.1 ? 'Hold' : 'RollBack',
      afterHooks: random() < 0.2 ? 'RollBack' : 'Hold',
      bakeTimeMs: pick(random, [1000, 30_000]),
      healthTimeoutMs: pick(random, [60_000, 300_000]),
    }
    const sync = { automated: random() > 0.1, prune: random() > 0.2, selfHeal: random() > 0.2 }
    this.told.push(`policy ${JSON.stringify({ ...rollout, ...sync })}`)
    this.world = new World({ rollout, sync })
    this.world.onLook = look => this.look(look)
  }

  private say(what: string): void {
    this.told.push(`${Math.round((this.world.now - Date.UTC(2026, 0, 1)) / 100) / 10}s ${what}`)
    this.turns = new Map()
  }

  private break(what: string): void {
    if (this.broken.length < 5) this.broken.push(`${Math.round((this.world.now - Date.UTC(2026, 0, 1)) / 100) / 10}s ${what}`)
  }

  run(): void {
    const events = 5 + Math.floor(this.random() * 20)
    for (let event = 0; event < events && !this.world.forgotten; event += 1) {
      this.happen()
      this.world.run(Math.floor(10 ** (2.5 + this.random() * 3)))
    }
    this.rest()
  }

  private happen(): void {
    const { random, world } = this
    const roll = random()
    if (roll < 0.34) this.push(anyRelease(random, ++this.serial))
    else if (roll < 0.42 && this.made.length > 0) this.push(pick(random, this.made))
    else if (roll < 0.47) this.act('push broken', () => world.push('broken'))
    else if (roll < 0.52) this.act('pause', () => world.pause())
    else if (roll < 0.58) this.act('resume', () => world.resume())
    else if (roll < 0.63 && this.made.length > 0) this.rollback(pick(random, this.made))
    else if (roll < 0.68) this.act('retry', () => world.retry())
    else if (roll < 0.72) this.act('sync', () => world.sync())
    else if (roll < 0.76) this.act('silence', () => world.silence())
    else if (roll < 0.82) this.act('hear', () => world.hear())
    else if (roll < 0.85) this.act('wipe', () => world.wipe())
    else if (roll < 0.92) this.act('crash', () => (world.crashNext = pick(random, ['beforePlace', 'afterPlace'] as const)))
    else if (roll < 0.985) this.weather()
    else this.act('delete', () => world.delete())
  }

  private act(name: string, act: () => void): void {
    this.say(name)
    act()
  }

  private push(one: Release): void {
    if (!this.made.includes(one)) this.made.push(one)
    this.act(`push ${nameOf(one)}`, () => this.world.push(one))
  }

  private rollback(one: Release): void {
    if (!this.ran.has(one.id)) return
    this.act(`rollback ${nameOf(one)}`, () => this.world.rollback(one))
  }

  private weather(): void {
    const key = pick(this.random, ['dbUp', 'healed', 'missingThere', 'registryBusy'] as const)
    this.act(`${key} ${!this.world.weather[key]}`, () => {
      this.world.weather[key] = !this.world.weather[key]
    })
  }

  // -- invariants, at every pass --

  private look({ decision, step, before, after }: Look): void {
    const from = before.current?.release ?? ''
    const to = after.current?.release ?? ''
    const answer = this.world.observe().preflight
    if (answer?.state === 'passed') this.passed.add(answer.release)
    if (to !== '' && to !== from) {
      this.turns.set(to, (this.turns.get(to) ?? 0) + 1)
      const isWord = decision.row.chosen === 'T3'
      const mark = before.marks[to as ReleaseId]
      if (mark?.kind === 'bad' && !isWord && after.marks[to as ReleaseId] !== undefined)
        this.break(`2. ${to} is bad and was made current by ${decision.row.chosen}`)
      if (!this.passed.has(to) && !this.ran.has(to)) this.break(`5. ${to} never passed a preflight and never ran`)
      if ((this.turns.get(to) ?? 0) > 6) this.break(`3. ${to} was made current ${this.turns.get(to)} times without input`)
      this.ran.add(to)
    }
    if (step.kind === 'apply' && after.attempt?.verdict === null && !this.passed.has(to) && !this.ran.has(to))
      this.break(`7. ${to} touches without preflight`)
    if (step.kind === 'none' && decision.row.judged !== 'J1') this.judgedStays(after, decision.why)
    for (const one of decision.ended)
      if (one.outcome === 'Healthy' && one.verdict !== null) this.break(`4. healthy with a verdict: attempt ${one.number}`)
  }

  /** Invariant 1, once a pass found nothing more to do. */
  private judgedStays(ledger: Look['after'], why: Look['decision']['why']): void {
    const current = ledger.current?.release
    if (
      current === undefined ||
      ledger.pause !== null ||
      ledger.deletion !== null ||
      ledger.attempt?.verdict === null ||
      ledger.attempt?.release !== current
    )
      return
    const good = goodRelease(ledger, current)
    if (good === null || this.world.app.rollout.onFailure === 'Hold' || why.kind === 'failed') return
    this.break(
      `1. ${current} was judged and stays although ${good.release} is good: ${ledger.attempt?.mode} ${ledger.attempt?.outcome} ${JSON.stringify(why)}`,
    )
  }

  // -- the end: everything is well and nobody does anything --

  private rest(): void {
    const { world } = this
    if (world.forgotten) {
      this.history()
      return
    }
    this.say('rest')
    world.crashNext = null
    world.hear()
    Object.assign(world.weather, { dbUp: true, healed: true, missingThere: true, registryBusy: false })
    if (world.ledger?.pause || world.stored?.pause) world.resume()
    world.minutes(150)
    if (world.forgotten) {
      this.history()
      return
    }
    const looked = world.looks.length
    world.minutes(60)
    const busy = world.looks.slice(looked).filter(look => look.step.kind !== 'none')
    if (busy.length > 0)
      this.break(`4. no rest: ${busy.length} steps, ${busy[0]!.step.kind} ${JSON.stringify(busy[0]!.decision.why)}`)
    this.ending()
    this.history()
  }

  private ending(): void {
    const { world } = this
    const ledger = world.ledger!
    if (isUnderWay(ledger.attempt) || isRollingBack(ledger.attempt))
      this.break(`4. attempt ${ledger.attempt!.number} never ended: ${ledger.attempt!.step.name}`)
    if (ledger.trying !== null && ledger.trying.outcome !== 'Held')
      this.break(`4. attempt ${ledger.trying.number} is neither begun nor held: ${ledger.trying.step.name}`)
    if (ledger.requests.some(request => request.kind !== 'sync')) this.break('6. a request was never consumed')
    const head = world.head
    if (head?.kind !== 'release' || ledger.pin !== null || !world.app.sync.automated) return
    if (ledger.marks[head.release.id] !== undefined) return
    if (ledger.current?.release !== head.release.id)
      this.break(`the newest release is not judged and does not run: ${JSON.stringify(world.last.decision.why)}`)
    else if (ledger.attempt?.outcome !== 'Healthy' && ledger.attempt?.mode !== 'adopt')
      this.break(`the newest release runs and is ${ledger.attempt?.outcome}`)
  }

  /** One outcome each: Held may become another, Failed may become Healthy or RolledBack. */
  private history(): void {
    for (const [number, attempts] of this.world.history) {
      const outcomes = attempts.map(one => one.outcome!)
      outcomes.slice(1).forEach((outcome, index) => {
        const before = outcomes[index]!
        const isFine =
          before === 'Held' ||
          (before === 'Failed' && (outcome === 'Healthy' || outcome === 'RolledBack' || outcome === 'Failed'))
        if (!isFine) this.break(`4. attempt ${number} ended as ${outcomes.join(', ')}`)
      })
    }
  }
}

function nameOf(one: Release): string {
  const parts = one.objects.map(object => {
    const image = (object.spec as { template?: { spec: { containers: { image: string }[] } } } | undefined)?.template?.spec
      .containers[0]?.image
    const recreate = JSON.stringify(object.spec ?? {}).includes('Recreate') ? ' recreate' : ''
    return `${object.metadata.name}${image === undefined ? '' : `=${image}`}${recreate}`
  })
  return `${one.id} (${parts.join(', ')})`
}

t.setTimeout(600_000)

t.test(`${walks} random histories from seed ${firstSeed} keep the invariants`, async t => {
  let failures = 0
  for (let seed = firstSeed; seed < firstSeed + walks && failures < 3; seed += 1) {
    const walk = new Walk(seed)
    let thrown = ''
    try {
      walk.run()
    } catch (error) {
      thrown = error instanceof Error ? (error.stack ?? '') : String(error)
    }
    if (walk.broken.length === 0 && thrown === '') continue
    failures += 1
    t.fail(`seed ${seed}: ${[...walk.broken, thrown].join('; ')}`, {
      history: walk.told,
      attempt: walk.world.ledger?.attempt,
      last: walk.world.last.decision.row,
    })
  }
  t.equal(failures, 0)
})
