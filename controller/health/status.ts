// Reading `status` as Kubernetes writes it: what is absent counts as zero, empty or nothing.

export type Status = Readonly<Record<string, unknown>>

export type HealthStatus = 'Healthy' | 'Suspended' | 'Progressing' | 'Missing' | 'Degraded' | 'Unknown'

export interface Health {
  readonly status: HealthStatus
  readonly message: string
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

export function mapAt(from: object, key: string): Status {
  const value = (from as Record<string, unknown>)[key]
  return typeof value === 'object' && value !== null ? (value as Status) : {}
}

export function intAt(from: Status, key: string): number {
  return typeof from[key] === 'number' ? from[key] : 0
}

export function textAt(from: object, key: string): string {
  const value = (from as Record<string, unknown>)[key]
  return typeof value === 'string' ? value : ''
}

export function listAt(from: object, key: string): readonly Status[] {
  const value = (from as Record<string, unknown>)[key]
  return Array.isArray(value) ? value : []
}

export function conditionsOf(status: object): readonly Condition[] {
  return listAt(status, 'conditions').map(one => ({
    type: textAt(one, 'type'),
    status: textAt(one, 'status'),
    reason: textAt(one, 'reason'),
    message: textAt(one, 'message'),
  }))
}

export function find(conditions: readonly Condition[], type: string): Condition | null {
  return conditions.find(one => one.type === type) ?? null
}

/** Argo CD's order of badness: the worst child is the application's health. */
const order: readonly HealthStatus[] = ['Healthy', 'Suspended', 'Progressing', 'Missing', 'Degraded', 'Unknown']

export function isWorse(a: HealthStatus, b: HealthStatus): boolean {
  return order.indexOf(a) > order.indexOf(b)
}
