// A real Chromium from PATH or $CHROMIUM, with a profile of its own; null where there is none.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function chromiumPath(): string | null {
  const named = process.env.CHROMIUM
  if (named !== undefined && named !== '') return named
  const dirs = (process.env.PATH ?? '').split(delimiter)
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  return dirs.flatMap(dir => names.map(name => join(dir, name))).find(file => existsSync(file)) ?? null
}

export async function openBrowser(executablePath: string): Promise<Browser> {
  return await chromium.launch({ executablePath, headless: true, args })
}
