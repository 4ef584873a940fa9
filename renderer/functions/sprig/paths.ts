// Paths as Go's packages path and path/filepath have them on Unix: there the two are one.
import type { GoFunction } from '../signature.js'
import { named, text } from './define.js'

export const paths: readonly GoFunction[] = [
  ...named(['base', 'osBase'], ['string'], args => base(text(args, 0))),
  ...named(['dir', 'osDir'], ['string'], args => clean(text(args, 0).slice(0, text(args, 0).lastIndexOf('/') + 1))),
  ...named(['clean', 'osClean'], ['string'], args => clean(text(args, 0))),
  ...named(['ext', 'osExt'], ['string'], args => /\.[^./]*$/.exec(text(args, 0))?.[0] ?? ''),
  ...named(['isAbs', 'osIsAbs'], ['string'], args => text(args, 0).startsWith('/')),
]

function base(path: string): string {
  if (path === '') return '.'
  const trimmed = path.replace(/\/+$/, '')
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

/** `/a/../b/./c` -> `/b/c`; '' is `.`. */
function clean(path: string): string {
  const rooted = path.startsWith('/')
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') kept.push(part)
    else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop()
    else if (!rooted) kept.push('..')
  }
  const made = kept.join('/')
  return rooted ? '/' + made : made === '' ? '.' : made
}
