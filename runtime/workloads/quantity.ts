// Kubernetes quantities (apimachinery resource.Quantity): `500m`, `256Mi`, `1.5G`, `1e3`.

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** Null when it is no quantity. */
export function parseQuantity(text: string | number): number | null {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]i?|Ki)?)$/.exec(String(text))
  if (match === null) return null
  const factor = suffixes[match[3] ?? '']
  return factor === undefined ? null : Number(match[1] + (match[2] ?? '')) * factor
}

/** Rounded up to the whole thousandth of a core, as Kubernetes does. */
export function parseCpuMillis(text: string | number): number | null {
  const cores = parseQuantity(text)
  return cores === null ? null : Math.ceil(Number((cores * 1000).toFixed(6)))
}

/** Rounded up to the whole byte. */
export function parseBytes(text: string | number): number | null {
  const bytes = parseQuantity(text)
  return bytes === null ? null : Math.ceil(bytes)
}
