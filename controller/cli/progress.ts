// How a release is shown while it runs: lines that rewrite themselves, one plain line a change, or one JSON object a change.

import { type StepLine, stepsOf, words } from '../steps.js'
import type { ApplicationView, AttemptView } from '../view.js'
import type { Cli } from './cli.js'
import { cut, duration, shortCommit, states, wrapped } from './words.js'

export interface Display {
  /** Something changed. */
  update(view: ApplicationView): void
  /** Time passed. */
  tick(): void
  /** The last word stays. */
  end(ok: boolean, view: ApplicationView, message: string): void
}

export function displayFor(cli: Cli): Display {
  if (cli.format !== 'text') return new JsonDisplay(cli)
  return cli.live ? new LiveDisplay(cli) : new PlainDisplay(cli)
}

class JsonDisplay implements Display {
  readonly #cli: Cli
  #last = ''

  constructor(cli: Cli) {
    this.#cli = cli
  }

  update(view: ApplicationView): void {
    const text = JSON.stringify(this.#told('progress', view))
    const same = text.replace(/"at":"[^"]*"/, '')
    if (same !== this.#last) this.#cli.print(text)
    this.#last = same
  }

  tick(): void {}

  end(ok: boolean, view: ApplicationView, message: string): void {
    this.#cli.print(JSON.stringify({ ...this.#told('result', view), ok, message }))
  }

  #told(type: string, view: ApplicationView) {
    const { attempt } = view
    return {
      version: 'v1',
      type,
      at: new Date(this.#cli.api.now()).toISOString(),
      application: view.name,
      state: view.state,
      attempt: attempt?.number ?? null,
      commit: attempt?.release?.commit ?? null,
      release: attempt?.release?.number ?? null,
      step: attempt?.step ?? null,
      stepDetail: attempt?.stepDetail ?? '',
      outcome: attempt?.outcome ?? null,
      message: view.message,
    }
  }
}

class PlainDisplay implements Display {
  readonly #cli: Cli
  #last = ''

  constructor(cli: Cli) {
    this.#cli = cli
  }

  update(view: ApplicationView): void {
    const said = view.short || view.message
    const text = `${view.name} ${states[view.state].word.toLowerCase()}: ${stepText(view.attempt, said)}${said}`
    if (text !== this.#last) this.#line(text)
    this.#last = text
  }

  tick(): void {}

  end(ok: boolean, view: ApplicationView, message: string): void {
    this.#line(`${view.name} ${ok ? 'ok' : 'not ok'}: ${message}`)
  }

  #line(text: string): void {
    this.#cli.print(`${new Date(this.#cli.api.now()).toISOString().replace('.000', '')} ${text}`)
  }
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

class LiveDisplay implements Display {
  readonly #cli: Cli
  #view: ApplicationView | null = null
  #drawn = 0
  #turn = 0

  constructor(cli: Cli) {
    this.#cli = cli
  }

  update(view: ApplicationView): void {
    this.#view = view
    this.#draw()
  }

  tick(): void {
    this.#turn += 1
    this.#draw()
  }

  end(ok: boolean, view: ApplicationView, message: string): void {
    this.#view = view
    this.#draw()
    const { shape, colour } = states[view.state]
    const text = wrapped(`${shape} ${message}`, this.#cli.columns)
    this.#cli.print(text.replace(shape, this.#cli.paint(ok ? 'green' : colour, shape)))
  }

  /** Goes up over what it drew before, clears it, draws anew. */
  #draw(): void {
    if (this.#view === null) return
    const lines = liveLines(this.#view, this.#cli.api.now(), spinner[this.#turn % spinner.length] ?? '', this.#cli)
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[0J`
    this.#cli.around.write(`${up}${lines.join('\n')}\n`)
    this.#drawn = lines.length
  }
}

/** The title, a line a step that was gone through, and the one that is under way. No line is wider than the terminal. */
export function liveLines(
  view: ApplicationView,
  now: number,
  spin: string,
  cli: Pick<Cli, 'paint' | 'columns'>,
): readonly string[] {
  const { attempt, place } = view
  const release = attempt?.release ?? view.candidate
  const title = `${view.name}  ${shortCommit(release?.commit)} "${cut(release?.subject ?? '', 40)}"  ${place}`
  if (attempt === null) return [title, `  ${cli.paint('blue', spin)} ${cut(view.short || view.message, cli.columns - 4)}`]
  const steps = stepsOf(attempt)
  const drawn = steps.map((step, at) =>
    stepLine(step, { moving: at === steps.length - 1 && attempt.outcome === null, short: view.short, now, spin }, cli),
  )
  return [cut(title, cli.columns), ...drawn]
}

interface Around {
  readonly moving: boolean
  readonly short: string
  readonly now: number
  readonly spin: string
}

function stepLine(step: StepLine, { moving, short, now, spin }: Around, cli: Pick<Cli, 'paint' | 'columns'>): string {
  const [mark, colour] = moving ? [spin, 'blue' as const] : step.broke ? ['✖', 'red' as const] : ['✔', 'green' as const]
  const said = moving && short !== '' ? short : step.message
  const took = duration((moving ? now : Date.parse(step.until)) - Date.parse(step.at))
  const room = Math.max(10, cli.columns - 4 - 14 - 2 - 12)
  return `  ${cli.paint(colour, mark)} ${step.label.padEnd(14)}  ${cut(said, room).padEnd(Math.min(room, 44))}  ${cli.paint('dim', took)}`
}

/** What is said already is not said twice. */
function stepText(attempt: AttemptView | null, said: string): string {
  if (attempt === null || attempt.outcome !== null) return ''
  const detail = attempt.stepDetail === '' || said.startsWith(attempt.stepDetail) ? '' : `, ${attempt.stepDetail}`
  return `${words(attempt.step)}${detail}: `
}
