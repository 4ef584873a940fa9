// The order in which Go goes through a map.
import { compareText } from './text.js'
import type { Dict } from './value.js'

/** Keys in the order in which Go ranges over a map and prints it: by their bytes. */
export function sortedKeys(dict: Dict): string[] {
  const keys = [...dict.keys()]
  if (keys.length < 2) return keys
  // Below the surrogates UTF-16 has the order of UTF-8.
  return keys.some(key => beyond.test(key)) ? keys.sort(compareText) : keys.sort()
}

const beyond = /[\ud800-\uffff]/
