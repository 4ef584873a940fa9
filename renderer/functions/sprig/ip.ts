// Internet addresses as Go's net.ParseIP reads them.

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
