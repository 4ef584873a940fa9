// Internet addresses as Go's net.ParseIP reads them, and what net/netip says is wrong with others.
import { quoted } from '../../value/quote.js'
import { fromBinary } from './bytes.js'

/** 4 bytes, or 16; undefined: it is no address. A zone (`%eth0`) is none either. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** No zeros in front: `010.0.0.1` is none. */
function parseIpv4(text: string): Uint8Array | undefined {
  const fields = text.split('.')
  if (fields.length !== 4 || !fields.every(field => /^(0|[1-9][0-9]{0,2})$/.test(field) && Number(field) < 256)) return undefined
  return Uint8Array.from(fields, Number)
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = [groupsOf(halves[0] as string), groupsOf(halves[1] ?? '')]
  if (head === undefined || tail === undefined) return undefined
  const missing = 16 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail])
}

/** The bytes of `fe80:1:1.2.3.4`. */
function groupsOf(text: string): readonly number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const bytes: number[] = []
  for (const [at, group] of groups.entries()) {
    const last = at === groups.length - 1 ? parseIpv4(group) : undefined
    if (last !== undefined) bytes.push(...last)
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255)
    else return undefined
  }
  return bytes
}

/** What `netip.ParseAddr` says is wrong with an address, zone and all; undefined: nothing is. */
export function addressFault(text: string): string | undefined {
  const first = /[.:%]/.exec(text)?.[0]
  if (first === undefined) return 'unable to parse IP'
  if (first === '%') return 'missing IPv6 address'
  if (first === '.') return parseIp(text) === undefined ? ipv4Fault(text) : undefined
  const percent = text.indexOf('%')
  if (percent === text.length - 1) return 'zone must be a non-empty string'
  return ipv6Fault(percent < 0 ? text : text.slice(0, percent))
}

function ipv4Fault(text: string): string | undefined {
  const fields = text.split('.')
  let rest = text
  for (const [at, field] of fields.entries()) {
    const strange = /[^0-9]/.exec(field)
    const digits = strange === null ? field : field.slice(0, strange.index)
    if (/^0[0-9]/.test(digits)) return 'IPv4 field has octet with leading zero'
    if (Number(digits) > 255) return 'IPv4 field has value >255'
    if (strange !== null) return `unexpected character ${place(rest.slice(strange.index))}`
    const dot = rest.slice(field.length)
    const isLast = at === fields.length - 1
    if (!isLast && (field === '' || dot === '.')) return `IPv4 field must have at least one digit ${place(dot)}`
    if (!isLast && at === 3) return 'IPv4 address too long'
    rest = dot.slice(1)
  }
  return fields.length < 4 ? 'IPv4 address too short' : undefined
}

/** Group after group, as netip goes through them: the first fault is told. */
function ipv6Fault(text: string): string | undefined {
  let rest = text.startsWith('::') ? text.slice(2) : text
  let hidden = rest !== text
  if (hidden && rest === '') return undefined
  let bytes = 0
  while (bytes < 16) {
    const digits = /^[0-9a-fA-F]*/.exec(rest)?.[0] ?? ''
    if (digits.length > 4) return `each group must have 4 or less digits ${place(rest)}`
    if (digits === '') return `each colon-separated field must have at least one digit ${place(rest)}`
    if (rest[digits.length] === '.') {
      if (!hidden && bytes !== 12) return `embedded IPv4 address must replace the final 2 fields of the address ${place(rest)}`
      if (bytes > 12) return `too many hex fields to fit an embedded IPv4 at the end of the address ${place(rest)}`
      const fault = ipv4Fault(rest)
      if (fault !== undefined) return fault
      rest = ''
      bytes += 4
      break
    }
    bytes += 2
    rest = rest.slice(digits.length)
    if (rest === '') break
    if (rest[0] !== ':') return `unexpected character, want colon ${place(rest)}`
    if (rest === ':') return `colon must be followed by more characters ${place(rest)}`
    rest = rest.slice(1)
    if (rest[0] !== ':') continue
    if (hidden) return `multiple :: in address ${place(rest)}`
    hidden = true
    rest = rest.slice(1)
    if (rest === '') break
  }
  if (rest !== '') return `trailing garbage after address ${place(rest)}`
  if (bytes < 16) return hidden ? undefined : 'address string too short'
  return hidden ? 'the :: must expand to at least one field of zeros' : undefined
}

function place(rest: string): string {
  return `(at ${quoted(fromBinary(rest))})`
}
