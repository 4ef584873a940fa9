// Every template function by name: one table for both template languages.
import { emit, files } from './emit.js'
import type { TemplateFunction } from './function.js'
import { absent } from './later.js'
import { dicts, lists } from './lists.js'
import { logic } from './logic.js'
import { numbers } from './numbers.js'
import { semver } from './semver.js'
import { strings } from './strings.js'
import { templates } from './templates.js'

const families = [logic, strings, lists, dicts, numbers, emit, files, templates, semver, absent]

export const functions: ReadonlyMap<string, TemplateFunction> = new Map(
  families.flat().map(entry => [entry.name, entry] as const),
)
