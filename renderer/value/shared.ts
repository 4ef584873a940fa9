// One map under two Go types: `chartutil.Values` in a subchart is a plain map where its parent looks at it, and what one writes the other sees.
import type { Value } from './value.js'

export class SharedMap extends Map<string, Value> {
  /** The map itself. */
  readonly of: Map<string, Value>

  constructor(of: Map<string, Value>) {
    super()
    this.of = of
  }
  override get size(): number {
    return this.of.size
  }
  override get(key: string): Value | undefined {
    return this.of.get(key)
  }
  override has(key: string): boolean {
    return this.of.has(key)
  }
  override set(key: string, value: Value): this {
    this.of.set(key, value)
    return this
  }
  override delete(key: string): boolean {
    return this.of.delete(key)
  }
  override clear(): void {
    this.of.clear()
  }
  override [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.of[Symbol.iterator]()
  }
  override entries(): MapIterator<[string, Value]> {
    return this.of.entries()
  }
  override keys(): MapIterator<string> {
    return this.of.keys()
  }
  override values(): MapIterator<Value> {
    return this.of.values()
  }
  override forEach(each: (value: Value, key: string, map: Map<string, Value>) => void): void {
    this.of.forEach(each)
  }
}
