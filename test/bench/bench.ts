// What a benchmark is: figures and goals, a table for people, one line for programs. Knows no benchmark.

export interface Options {
  /** How many times what is given as a median is measured; 20 unless said. */
  readonly runs: number
  /** Progress, for people. */
  readonly say: (line: string) => void
}

/** A number, or several by name: `{ crash: 4100, neverReady: 31000 }`. `null`: could not be measured. */
export type Figure = number | null | { readonly [name: string]: number | null }

export interface Goal {
  /** `<= 250` as people read it. */
  readonly goal: string
  readonly value: number | null
  readonly met: boolean
}

export interface Measured {
  /** Of what was measured: `{ node: '22.1.0', engine: '27.0.1' }`. */
  readonly versions: Readonly<Record<string, string>>
  readonly figures: Readonly<Record<string, Figure>>
  readonly goals: Readonly<Record<string, Goal>>
  /** How it was measured, and what of it was shortened. */
  readonly notes: readonly string[]
}

export interface Bench {
  readonly name: string
  /** One line for the list of benchmarks. */
  readonly about: string
  readonly run: (options: Options, signal: AbortSignal) => Promise<Measured>
}

/** The value that half of them do not exceed; null of none. */
export function median(values: readonly number[]): number | null {
  return percentile(values, 50)
}

/** Nearest rank: of 20 values the 95th percentile is the 19th. */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const at = Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)
  return sorted[at] === undefined ? null : rounded(sorted[at])
}

export function atMost(limit: number, value: number | null): Goal {
  return { goal: `<= ${rounded(limit)}`, value, met: value !== null && value <= limit }
}

export function atLeast(limit: number, value: number | null): Goal {
  return { goal: `>= ${rounded(limit)}`, value, met: value !== null && value >= limit }
}

export function below(limit: number, value: number | null): Goal {
  return { goal: `< ${rounded(limit)}`, value, met: value !== null && value < limit }
}

/** Three digits are enough: `0.4567` -> `0.46`, `1234.5` -> `1235`. */
export function rounded(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100
}

export function table(name: string, { versions, figures, goals, notes }: Measured): string {
  const rows = Object.entries(figures).flatMap(([figure, value]) => (isWide(value) ? [] : rowsOf(figure, value)))
  const judged = Object.entries(goals).map(
    ([what, { goal, value, met }]) => [`${met ? '✔' : '✖'} ${what}`, text(value), goal] as const,
  )
  return [
    `\n${name}: ${Object.entries(versions)
      .map(([part, version]) => `${part} ${version}`)
      .join(', ')}`,
    '',
    ...columns(rows),
    ...matrix(figures),
    '',
    ...columns(judged),
    '',
    ...notes.map(note => `- ${note}`),
  ].join('\n')
}

/** The last line of the output with `--json`. */
export function line(name: string, { versions, figures, goals }: Measured): string {
  return JSON.stringify({ name, versions, figures, goals })
}

function rowsOf(figure: string, value: Figure): readonly (readonly string[])[] {
  if (value === null || typeof value === 'number') return [[figure, text(value)]]
  return Object.entries(value).map(([name, inner]) => [`${figure}.${name}`, text(inner)])
}

/** Figures of many things stand side by side: a line a thing. */
function isWide(value: Figure): value is { readonly [name: string]: number | null } {
  return value !== null && typeof value === 'object' && Object.keys(value).length >= 8
}

const columnsBeside = 9

function matrix(figures: Measured['figures']): readonly string[] {
  const wide = Object.entries(figures).flatMap(([figure, value]) => (isWide(value) ? [[figure, value] as const] : []))
  const names = [...new Set(wide.flatMap(([, value]) => Object.keys(value)))]
  const first = Math.max(0, ...names.map(name => name.length))
  const cell = (figure: string, value: number | null | undefined) => (value == null ? '-' : String(value)).padStart(figure.length)
  const blocks = Array.from({ length: Math.ceil(wide.length / columnsBeside) }, (_, at) =>
    wide.slice(at * columnsBeside, (at + 1) * columnsBeside),
  )
  return blocks.flatMap(block => [
    '',
    `  ${''.padEnd(first)}  ${block.map(([figure]) => figure).join('  ')}`,
    ...names.map(name => `  ${name.padEnd(first)}  ${block.map(([figure, value]) => cell(figure, value[name])).join('  ')}`),
  ])
}

function text(value: number | null): string {
  return value === null ? 'not measured' : String(value)
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const width = (at: number) => Math.max(0, ...rows.map(row => (row[at] ?? '').length))
  const [first, second] = [width(0), width(1)]
  return rows.map(([a = '', b = '', c = '']) => `  ${a.padEnd(first)}  ${b.padStart(second)}  ${c}`.trimEnd())
}
