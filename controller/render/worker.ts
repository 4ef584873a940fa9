// The child process that renders: a job in, its result as JSON out. It opens nothing and knows nothing but the job.
import { answerTo, type ChartCache, type ChartQuestion, constant, type ParseCache, render } from '../../renderer/index.js'
import type { RenderJob } from './pool.js'

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
  const result = render({ paths: [...files.keys()], read: path => files.get(path) ?? null }, job.options, constant, cache)
  if (templates.size > mostTemplates) templates.clear()
  if (charts.size > mostCharts) charts.clear()
  process.send?.(JSON.stringify(result))
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
