// One generated template through the handlebars package and through our evaluator.
import Handlebars from 'handlebars'
import { printed } from '../../support/render.js'
import { makeTemplate, partials, values } from './generate.js'

const theirs = Handlebars.create()
for (const [name, text] of Object.entries(partials)) theirs.registerPartial(name, text)

const ours = Object.fromEntries(Object.entries(partials).map(([name, text]) => [`templates/_${name}.hbs`, text]))

/** null: the same. */
export function difference(seed: number): { readonly template: string; readonly theirs: string; readonly ours: string } | null {
  const template = makeTemplate(seed)
  const wanted = answer(() => theirs.compile(template, { noEscape: true })(values))
  // The chart's own context has Values and more: the template is given what the package is given, as its root.
  const found = answer(() => printed('{{tpl Values.template Values.data}}', { template, data: values }, ours))
  return wanted === found ? null : { template, theirs: wanted, ours: found }
}

function answer(run: () => string): string {
  try {
    return run()
  } catch (cause) {
    return `error: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}
