// Health of a bare Pod: gitops-engine pkg/health/health_pod.go.
import type { Manifest } from '../../runtime/contract/manifest.js'
import { conditionsOf, find, type Health, listAt, mapAt, type Status, textAt } from './status.js'

export function podHealth(object: Manifest, status: Status): Health {
  const restarts = textAt(mapAt(object, 'spec'), 'restartPolicy') || 'Always'
  const failing = restarts === 'Always' ? failingContainers(status) : ''
  if (failing !== '') return { status: 'Degraded', message: failing }
  switch (status.phase) {
    case 'Pending':
      return { status: 'Progressing', message: textAt(status, 'message') }
    case 'Succeeded':
      return { status: 'Healthy', message: textAt(status, 'message') }
    case 'Failed':
      return { status: 'Degraded', message: textAt(status, 'message') || failureOf(status) }
    case 'Running':
      return running(status, restarts)
    default:
      return { status: 'Unknown', message: textAt(status, 'message') }
  }
}

function running(status: Status, restarts: string): Health {
  if (restarts !== 'Always') return { status: 'Progressing', message: textAt(status, 'message') }
  if (find(conditionsOf(status), 'Ready')?.status === 'True') return { status: 'Healthy', message: textAt(status, 'message') }
  const ended = listAt(status, 'containerStatuses').some(one => 'terminated' in mapAt(one, 'lastState'))
  return { status: ended ? 'Degraded' : 'Progressing', message: textAt(status, 'message') }
}

function failingContainers(status: Status): string {
  const waiting = listAt(status, 'containerStatuses').map(one => mapAt(mapAt(one, 'state'), 'waiting'))
  const bad = waiting.filter(one => /^Err|Error$|BackOff$/.test(textAt(one, 'reason')))
  return bad.map(one => textAt(one, 'message') || textAt(one, 'reason')).join(', ')
}

function failureOf(status: Status): string {
  for (const one of [...listAt(status, 'initContainerStatuses'), ...listAt(status, 'containerStatuses')]) {
    const ended = mapAt(mapAt(one, 'state'), 'terminated')
    if (textAt(ended, 'message') !== '') return textAt(ended, 'message')
    if (ended.reason === 'OOMKilled') return 'OOMKilled'
    if (typeof ended.exitCode === 'number' && ended.exitCode !== 0)
      return `container "${textAt(one, 'name')}" failed with exit code ${ended.exitCode}`
  }
  return ''
}
