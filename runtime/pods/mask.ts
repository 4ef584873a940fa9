// Takes a pod's secret values out of text that goes into reports.
import type { PodRecord } from './types.js'

/** Shorter values would mask ordinary words. */
const shortest = 6

/** Replaces every value of the pod's Secrets, plain and base64, whole or line by line, by `***`; the longest first. */
export function maskOf(record: PodRecord): (text: string) => string {
  const values = new Set<string>()
  for (const data of Object.values(record.secrets)) {
    for (const encoded of Object.values(data)) {
      const plain = Buffer.from(encoded, 'base64').toString('utf8')
      for (const each of [plain, plain.trim(), ...plain.split('\n').map(line => line.trim())]) {
        if (each.length < shortest) continue
        values.add(each)
        addEncoded(values, Buffer.from(each).toString('base64'))
      }
      if (plain.length >= shortest) addEncoded(values, encoded)
    }
  }
  const longestFirst = [...values].sort((a, b) => b.length - a.length)
  return text => longestFirst.reduce((masked, value) => masked.replaceAll(value, '***'), text)
}

/** People drop the padding; what is left of it would still tell the length. */
function addEncoded(values: Set<string>, encoded: string): void {
  values.add(encoded)
  values.add(encoded.replace(/=+$/, ''))
}
