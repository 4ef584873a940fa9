// Named places where tests kill the process, to show that every write can be the last. Without a hook (always, outside tests) they do nothing.

type Hook = (name: string) => void

let hook: Hook | null = null

/** `controller.release.stored`, `runtime.document.saved`: called right after the write of that name, and `.before` right before. */
export function failpoint(name: string): void {
  hook?.(name)
}

/** A write with the two places around it where the process may end: not yet, and just done. */
export async function written<T>(name: string, write: () => Promise<T>): Promise<T> {
  failpoint(`${name}.before`)
  const result = await write()
  failpoint(name)
  return result
}

/** For test entry points only; the product never calls it. */
export function onFailpoint(then: Hook | null): void {
  hook = then
}
