// The child process that renders: a job in, its result as JSON out. It opens nothing and knows nothing but the job.
import { type ParseCache, render } from '../../renderer/index.js'
import type { RenderJob } from './pool.js'

const mostTemplates = 500
const templates: Map<string, NonNullable<ReturnType<ParseCache['get']>>> = new Map()

process.on('message', (job: RenderJob) => {
  const files = new Map(job.files)
  const result = render({ paths: [...files.keys()], read: path => files.get(path) ?? null }, job.options, templates)
  if (templates.size > mostTemplates) templates.clear()
  process.send?.(JSON.stringify(result))
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
