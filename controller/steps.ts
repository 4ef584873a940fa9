// The way of an attempt as terminal and page draw it: its moves, those of one step together, and which of them went wrong. Pure.
import type { AttemptView } from './view.js'

export interface StepLine {
  /** `preflight`, `wave 1 of 3`, `rolling back`. */
  readonly label: string
  readonly at: string
  /** When the next began, or the attempt ended; '' while it goes on. */
  readonly until: string
  /** What was said last of it. */
  readonly message: string
  readonly broke: boolean
}

/** The end is left out: it is told as the outcome; its time ends the step before. */
export function stepsOf(attempt: AttemptView): readonly StepLine[] {
  const lines: StepLine[] = []
  for (const { step, at, message } of attempt.moves) {
    if (step === 'Ended') continue
    const label = labelOf(step, message)
    const before = lines.at(-1)
    const said = withoutLabel(message, label)
    if (before?.label === label) lines[lines.length - 1] = { ...before, message: said || before.message }
    else lines.push({ label, at, until: '', message: said, broke: false })
  }
  const broken = brokenStep(attempt, lines)
  const ended = attempt.outcome === null ? '' : attempt.times.ended
  return lines.map((line, at) => ({ ...line, until: lines[at + 1]?.at ?? ended, broke: at === broken }))
}

/** Where it was judged, else the one before going back, else the last; -1: none. */
function brokenStep({ verdict, outcome }: AttemptView, lines: readonly StepLine[]): number {
  if (verdict === null && outcome !== 'Held') return -1
  const labels = lines.map(line => line.label)
  if (labels.includes('judged')) return labels.indexOf('judged')
  return labels.includes('rolling back') ? labels.indexOf('rolling back') - 1 : labels.length - 1
}

/** `Syncing`, `Sync wave 1 of 3: 4 objects` -> `wave 1 of 3`; `RollingBack` -> `rolling back`. */
function labelOf(step: string, message: string): string {
  const wave = step === 'Syncing' ? /wave \d+ of \d+/.exec(message)?.[0] : undefined
  return wave ?? words(step)
}

/** `wave 1 of 3, PreSync: Job migrate` under the label `wave 1 of 3` -> `PreSync: Job migrate`. */
function withoutLabel(message: string, label: string): string {
  return message.startsWith(label) ? message.slice(label.length).replace(/^[,:]\s*/, '') : message
}

export function words(step: string): string {
  return step.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
}
