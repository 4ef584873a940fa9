// What a template wrote, and which of its lines each part came from, so that a fault in the result is told where it can be mended.

interface Origin {
  /** Offset in the output where this part begins. */
  readonly offset: number
  readonly line: number
  /** Of fixed text: its line breaks are the template's own. */
  readonly fixed: boolean
}

export class Output {
  readonly #parts: string[] = []
  readonly #origins: Origin[] = []
  #length = 0

  write(text: string, line: number, fixed: boolean): void {
    if (text === '') return
    this.#origins.push({ offset: this.#length, line, fixed })
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
    if (!origin.fixed) return origin.line
    return origin.line + (this.#parts[low] ?? '').slice(0, offset - origin.offset).split('\n').length - 1
  }
}
