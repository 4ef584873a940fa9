// Which template a name means: all templates of all charts of a release lie in one namespace, and a text given to `tpl` lays its own over it.

import type { Template } from './compile.js'
import type { Templates } from './frame.js'
import type { ParsedFile } from './parsed.js'

/** Helm's rule: what was added last wins, but what is blank never replaces another. */
export class Namespace implements Templates {
  readonly #base: Templates | undefined
  readonly #own = new Map<string, Template>()
  /** `base`: looked through where a name is not found here; it is not changed. */
  constructor(base?: Templates) {
    this.#base = base
  }

  add(file: ParsedFile): void {
    for (const template of file.templates.values())
      if (!template.isBlank || this.find(template.name) === undefined) this.#own.set(template.name, template)
  }

  find(name: string): Template | undefined {
    return this.#own.get(name) ?? (this.#base?.find(name) as Template | undefined)
  }
}
