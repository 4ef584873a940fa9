// How Go prints a time.Duration: `1h15m30.918s`.

const second = 1_000_000_000n

/** `Duration.String`; nanoseconds in. */
export function durationText(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s'
  const sign = nanoseconds < 0n ? '-' : ''
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds
  return sign + (size < second ? smallText(size) : largeText(size))
}

function smallText(size: bigint): string {
  if (size < 1_000n) return `${size}ns`
  return size < 1_000_000n ? `${fraction(size, 1_000n)}µs` : `${fraction(size, 1_000_000n)}ms`
}

function largeText(size: bigint): string {
  const minutes = size / (60n * second)
  const seconds = `${fraction(size % (60n * second), second)}s`
  if (minutes === 0n) return seconds
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`
}

/** size / unit as a decimal number without zeros at its end. */
function fraction(size: bigint, unit: bigint): string {
  const rest = (size % unit)
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '')
  return rest === '' ? `${size / unit}` : `${size / unit}.${rest}`
}
