// Health rules that people write for kinds, of an application (`spec.health`) or of all of them (`health` of the configuration). Pure.
import type { Fields } from '../fields.js'
import { type KindRules, kindKey, parseRules } from '../health/written.js'

/** By `group/Kind`, each fault with its pointer: `spec.health.example.com/Database: "status.phase = x" is no clause; want ...`. */
export function readKindRules(from: Fields, field: string): KindRules {
  const rules: Record<string, string> = {}
  for (const [written, text] of Object.entries(from.texts(field))) {
    const key = kindKey(written)
    if (key === null)
      from.fault(`${field}.${written}`, 'want a kind such as example.com/Database, or ConfigMap for one without a group')
    else rules[key] = text
    const wrong = faultOf(text)
    if (wrong !== '') from.fault(`${field}.${written}`, wrong)
  }
  return rules
}

function faultOf(text: string): string {
  try {
    parseRules(text)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}
