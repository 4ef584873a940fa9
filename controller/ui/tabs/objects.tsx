// The objects, their health, and what they own. Many and all well: only those that are not are shown first.
import { useState } from 'preact/hooks'
import type { ApplicationView, ObjectView } from '../../view.js'
import { at, type Listed } from '../api.js'
import { useAsked } from '../asking.js'
import { Answer, Mark } from '../parts.js'
import { healthShape } from '../words.js'

const many = 200

export function Objects({ view }: { view: ApplicationView }) {
  const asked = useAsked<Listed<ObjectView>>(
    at(view.name, 'resource-tree'),
    `${view.since} ${view.short} ${view.health.message} ${view.attempt?.moves.length}`,
  )
  const [all, setAll] = useState(false)
  return (
    <Answer asked={asked}>
      {({ items }) => {
        const unwell = items.filter(object => object.health.status !== 'Healthy' || object.sync === 'OutOfSync')
        const few = items.length > many && !all
        if (items.length === 0) return <p class="dim">Nothing was applied yet.</p>
        return (
          <>
            {few && (
              <p>
                {unwell.length} of {items.length} objects are not well.{' '}
                <button type="button" class="quiet" onClick={() => setAll(true)}>
                  show all
                </button>
              </p>
            )}
            <ul class="tree">
              {(few ? unwell : items).map(object => (
                <Node key={`${object.ref.kind}/${object.ref.namespace}/${object.ref.name}`} object={object} />
              ))}
            </ul>
          </>
        )
      }}
    </Answer>
  )
}

function Node({ object }: { object: ObjectView }) {
  const { ref, health, pod } = object
  const notes = [
    health.message,
    object.sync === 'OutOfSync' ? 'differs from Git' : object.sync === 'Extra' ? 'no longer in Git' : '',
    object.hook,
  ].filter(text => text !== '')
  return (
    <li>
      <div class="object">
        <Mark state="" word={false} given={healthShape(health.status)} />
        <span class="dim">{ref.kind}</span> <span class="name">{ref.name}</span>
        <span class="dim">{notes.join('; ')}</span>
        {object.origin !== '' && <code class="origin">{object.origin}</code>}
      </div>
      {object.drift.length > 0 && (
        <ul class="containers">
          {object.drift.map(field => (
            <li key={field.path}>
              <span class="name">{field.path}</span>{' '}
              <span class="dim">
                {field.path === '' ? field.want : `${field.live || 'taken out'}, applied was ${field.want || 'nothing'}`}
                {field.manager === '' ? '' : `; by ${field.manager}, ${field.at}`}
              </span>
            </li>
          ))}
        </ul>
      )}
      {pod !== null && (
        <ul class="containers">
          {pod.containers.map(container => (
            <li key={container.name}>
              <span class="name">{container.name}</span>{' '}
              <span class="dim">
                {container.state}
                {container.reason === '' ? '' : `: ${container.reason}`}
                {container.restartCount === 0 ? '' : `, ${container.restartCount} restarts`}
              </span>{' '}
              <code class="origin">{container.image}</code>
            </li>
          ))}
        </ul>
      )}
      {object.children.length > 0 && (
        <ul>
          {object.children.map(child => (
            <Node key={`${child.ref.kind}/${child.ref.name}`} object={child} />
          ))}
        </ul>
      )}
    </li>
  )
}
