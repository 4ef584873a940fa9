// Values written into an Application that reach only its Secrets: not shown where it is shown, taken back where it is applied again. Pure.
import type { Manifest } from '../runtime/contract/manifest.js'

/** Stands where a value was; says nothing of its length. */
export const hidden = '(secret)'

type Fields = Readonly<Record<string, unknown>>

/** Shorter ones are words that stand anywhere. */
const shortest = 4
const valueFields = ['values', 'valuesObject', 'parameters']

/** The spec as it may be shown. `objects`: what it renders to; null: not known yet, and then no inline value is shown. */
export function withoutSecrets(
  spec: unknown,
  objects: readonly Manifest[] | null,
  mark: (text: string) => string = () => hidden,
): unknown {
  const helm = helmOf(spec)
  if (helm === null) return spec
  const secrets = objects === null ? null : secretTexts(textsOf(helm), objects)
  const hide = { secrets, mark }
  const shown = Object.entries(helm).map(([name, value]) => {
    if (!valueFields.includes(name)) return [name, value]
    return [
      name,
      name === 'parameters' && Array.isArray(value) ? value.map(each => maskedParameter(each, hide)) : masked(value, hide),
    ]
  })
  const { source } = spec as { readonly source: Fields }
  return { ...(spec as Fields), source: { ...source, helm: Object.fromEntries(shown) } }
}

/** What was shown of the former spec and comes back unchanged is the former spec's; all else is what is asked for now. */
export function withSecretsOf(spec: unknown, former: unknown, shown: unknown): unknown {
  if (JSON.stringify(spec) === JSON.stringify(shown)) return former
  if (Array.isArray(spec) && Array.isArray(former) && Array.isArray(shown))
    return spec.map((each, at) => withSecretsOf(each, former[at], shown[at]))
  if (!isFields(spec) || !isFields(former) || !isFields(shown)) return spec
  return Object.fromEntries(Object.entries(spec).map(([name, value]) => [name, withSecretsOf(value, former[name], shown[name])]))
}

/** Where something hidden stands that nothing is known for: it would be taken as the value. */
export function stillHides(spec: unknown): boolean {
  return JSON.stringify(helmOf(spec) ?? '').includes(hidden)
}

function helmOf(spec: unknown): Fields | null {
  const source = isFields(spec) ? spec.source : null
  return isFields(source) && isFields(source.helm) ? source.helm : null
}

/** Inline texts that stand in a Secret's value, and in no other object. */
function secretTexts(texts: readonly string[], objects: readonly Manifest[]): readonly string[] {
  const isSecret = (object: Manifest) => object.kind === 'Secret'
  const inside = objects.filter(isSecret).flatMap(plainValues)
  const outside = objects.filter(object => !isSecret(object)).map(object => JSON.stringify(object))
  const found = texts.filter(text => inside.some(value => value.includes(text)) && !outside.some(all => all.includes(text)))
  return [...new Set(found)].sort((a, b) => b.length - a.length)
}

function plainValues(secret: Manifest): readonly string[] {
  const data = Object.values((secret.data ?? {}) as Fields).map(value => Buffer.from(String(value), 'base64').toString('utf8'))
  return [...data, ...Object.values((secret.stringData ?? {}) as Fields).map(String)]
}

/** Of a text of YAML its words: a value is one of them, or several. */
function textsOf(helm: Fields): readonly string[] {
  const leaves = [helm.valuesObject, ...(Array.isArray(helm.parameters) ? helm.parameters.map(valueIn) : [])].flatMap(leavesOf)
  const words = String(helm.values ?? '').split(/[\s'"[\]{},]+|:(?=\s)/)
  return [...leaves, ...words].filter(text => text.length >= shortest)
}

function valueIn(parameter: unknown): unknown {
  return isFields(parameter) ? parameter.value : null
}

function leavesOf(value: unknown): readonly string[] {
  if (value === null || value === undefined) return []
  return typeof value === 'object' ? Object.values(value).flatMap(leavesOf) : [String(value)]
}

interface Hide {
  /** null: every value. */
  readonly secrets: readonly string[] | null
  readonly mark: (text: string) => string
}

function masked(value: unknown, hide: Hide): unknown {
  if (Array.isArray(value)) return value.map(each => masked(each, hide))
  if (isFields(value)) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, masked(each, hide)]))
  const text = String(value)
  if (hide.secrets === null) return hide.mark(text)
  const shown = hide.secrets.reduce((left, secret) => left.replaceAll(secret, () => hide.mark(secret)), text)
  return shown === text ? value : shown
}

/** Its name stays. */
function maskedParameter(parameter: unknown, hide: Hide): unknown {
  if (!isFields(parameter)) return masked(parameter, hide)
  const { name, ...rest } = parameter
  return { ...(name === undefined ? {} : { name }), ...(masked(rest, hide) as Fields) }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
