// What a template wrote, and which of its lines each part came from, so that a fault in the result is told where it can be mended.

interface Origin {
  /** Offset in the output where this part begins. */
  readonly offset: number
  readonly line: number
  /** Fixed text of several lines: its line breaks are the template's own. '' where all of the part came from one line. */
  readonly text: string
}

export class Output {
  readonly #parts: string[] = []
  /** One for several parts that came from the same line: a loop on one line costs no more than its text. */
  readonly #origins: Origin[] = []
  #length = 0

  write(text: string, line: number, fixed: boolean): void {
    if (text === '') return
    const lines = fixed && text.includes('\n') ? text : ''
    const last = this.#origins.at(-1)
    if (last === undefined || lines !== '' || last.text !== '' || last.line !== line)
      this.#origins.push({ offset: this.#length, line, text: lines })
    this.#parts.push(text)
    this.#length += text.length
  }

  text(): string {
    return this.#parts.join('')
  }

  /** The template's line that wrote the character at this offset. */
  lineAt(offset: number): number {
    let low = 0
    let high = this.#origins.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#origins[middle]?.offset ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    const origin = this.#origins[low]
    if (origin === undefined) return 1
    return origin.line + origin.text.slice(0, offset - origin.offset).split('\n').length - 1
  }
}
