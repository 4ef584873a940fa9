// The child process that renders: a job in, its result as JSON out. It opens nothing and knows nothing but the job, randomness and the time,
// for what has to be made.
import { randomBytes } from 'node:crypto'
import { answerTo, type ChartCache, type ChartQuestion, type ParseCache, render, StickyBook } from '../../renderer/index.js'
import type { RenderJob, Worked } from './pool.js'

const mostTemplates = 500
const mostCharts = 20
const templates: Map<string, NonNullable<ReturnType<ParseCache['get']>>> = new Map()
const charts: Map<string, NonNullable<ReturnType<ChartCache['get']>>> = new Map()
const cache = {
  get: templates.get.bind(templates),
  set: templates.set.bind(templates),
  charts,
}

process.on('message', (job: RenderJob | ChartQuestion) => {
  if ('question' in job) return void process.send?.(JSON.stringify(answerTo(job)))
  const files = new Map(job.files)
  const book = new StickyBook(job.kept, { random: count => randomBytes(count), now: Date.now() })
  const rendered = render({ paths: [...files.keys()], read: path => files.get(path) ?? null }, job.options, book, cache)
  const { error } = rendered
  const shown =
    error === undefined
      ? rendered
      : { error: { ...error, message: book.masked(error.message), excerpt: book.masked(error.excerpt) } }
  const result: Worked = { ...shown, touched: book.touched() }
  if (templates.size > mostTemplates) templates.clear()
  if (charts.size > mostCharts) charts.clear()
  process.send?.(JSON.stringify(result))
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
