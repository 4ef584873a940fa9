// The machines: whether they are heard, and how full they are.
import { Mark } from './parts.js'
import { nodes, now } from './store.js'
import { age, shapeOf } from './words.js'

export function Nodes() {
  if (nodes.value.length === 0)
    return (
      <p class="empty">
        No node has joined yet. Make this machine one: <code>slipway up</code>
      </p>
    )
  return (
    <table class="wide">
      <thead>
        <tr>
          <th>Node</th>
          <th>State</th>
          <th>Heard</th>
          <th>Applications</th>
          <th>Pods</th>
          <th>CPU requested</th>
          <th>Memory requested</th>
          <th>Versions</th>
        </tr>
      </thead>
      <tbody>
        {nodes.value.map(node => (
          <tr key={node.name}>
            <td class="name">{node.name}</td>
            <td>
              <Mark
                state=""
                given={node.ready ? { ...shapeOf('Healthy'), word: 'Ready' } : { ...shapeOf('Degraded'), word: 'Not ready' }}
              />
              {node.conditions
                .filter(condition => condition.message !== '')
                .map(condition => (
                  <div class="dim" key={condition.type}>
                    {condition.type}: {condition.message}
                  </div>
                ))}
            </td>
            <td data-label="heard">{age(node.lastSeen, now.value)} ago</td>
            <td data-label="applications">{node.applications}</td>
            <td data-label="pods">
              {node.pods} of {node.capacity.pods}
            </td>
            <td data-label="CPU requested">
              {(node.allocated.cpuMillis / 1000).toFixed(1)} of {(node.capacity.cpuMillis / 1000).toFixed(1)}
            </td>
            <td data-label="memory requested">
              {gibi(node.allocated.memoryBytes)} of {gibi(node.capacity.memoryBytes)} GiB
            </td>
            <td class="dim">
              {Object.entries(node.versions)
                .map(([part, version]) => `${part} ${version}`)
                .join(', ')}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function gibi(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1)
}
