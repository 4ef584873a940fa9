// The child process that renders: a job in, its result as JSON out. It opens nothing and knows nothing but the jobs, randomness and the time,
// for what has to be made.
import { randomBytes } from 'node:crypto'
import { getHeapStatistics } from 'node:v8'
import { answerTo, type ChartQuestion, type FileQuestion, render, StickyBook } from '../../renderer/index.js'
import { Held } from './held.js'
import { hastened } from './late.js'
import type { ChildAnswer, ChildJob } from './pool.js'

const held = new Held()

process.on('message', (job: ChildJob | ChartQuestion) => {
  if ('question' in job) return void process.send?.(JSON.stringify(answerTo(job)))
  const asked = new Map<string, FileQuestion>()
  const files = held.filesOf(job.files, new Map(job.blobs), question => asked.set(JSON.stringify(question), question))
  const book = new StickyBook(job.kept, { random: count => randomBytes(count), now: Date.now() })
  const rendered = hastened(() => render(files, job.options, book, held.chartsFor(files)))
  const { error } = rendered
  const shown =
    error === undefined
      ? rendered
      : { error: { ...error, message: book.masked(error.message), excerpt: book.masked(error.excerpt) } }
  const result = { ...shown, touched: book.touched() }
  const heap = getHeapStatistics()
  held.settle(heap.used_heap_size / heap.heap_size_limit)
  const answer: ChildAnswer = { result, asked: [...asked.values()], lost: held.lost() }
  process.send?.(JSON.stringify(answer))
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
