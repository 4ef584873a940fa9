// Small parts that everything is made of: a state's mark, a line to copy, a waiting or failed answer.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Asked } from './asking.js'
import { shapeOf } from './words.js'

/** Shape and word together: never colour alone. */
export function Mark({ state, word = true, given }: { state: string; word?: boolean; given?: ReturnType<typeof shapeOf> }) {
  const { shape, word: name, tone } = given ?? shapeOf(state)
  return (
    <span class={`mark ${tone}`}>
      <span class="shape" aria-hidden={word}>
        {shape}
      </span>
      {word ? <span>{name}</span> : <span class="unseen">{name}</span>}
    </span>
  )
}

export function CopyLine({ label, text }: { label: string; text: string }) {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    await navigator.clipboard?.writeText(text).catch(() => {})
    setCopied(true)
    setTimeout(() => setCopied(false), 1500)
  }
  return (
    <div class="copyline">
      <span class="label">{label}</span>
      <code>{text}</code>
      <button type="button" class="quiet" onClick={copy} aria-label={`Copy the ${label} line`}>
        {copied ? 'copied' : 'copy'}
      </button>
    </div>
  )
}

export function Answer<T>({ asked, children }: { asked: Asked<T>; children: (value: T) => ComponentChildren }) {
  if (asked.state === 'asking') return <p class="dim">…</p>
  if (asked.state === 'failed')
    return (
      <p class="problem" role="alert">
        {asked.message}
      </p>
    )
  return <>{children(asked.value)}</>
}
