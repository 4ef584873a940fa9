// A machine that can lose its power: processes of their own with an init, a /run and a boot id of their own. Only for files that run on
// a machine of their own already (own-machine.ts): its links are deleted with it.
import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitUntil } from './machine.js'

export interface Machine {
  /** What a command begins with that is to run there. */
  readonly within: readonly string[]
  /** Everything that runs there ends at once, and the kernel's network state goes. Disks stay. */
  cut(): Promise<void>
}

const setUp =
  'mount -t tmpfs tmpfs /run && mkdir -p /run/lock && mount --bind "$1" /proc/sys/kernel/random/boot_id && echo up && exec sleep 1000000'

export async function boot(): Promise<Machine> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-boot-'))
  const bootId = join(directory, 'boot-id')
  writeFileSync(bootId, `${randomUUID()}\n`)
  const args = ['--pid', '--mount', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', setUp, 'sh', bootId]
  const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => {
      throw new Error('the machine did not start')
    }),
  ])
  const init = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()
  let isOn = true
  return {
    within: ['nsenter', '--target', init, '--pid', '--mount', '--'],
    async cut() {
      if (!isOn) return
      isOn = false
      process.kill(Number(init), 'SIGKILL')
      await ended
      for (const link of links()) run('ip', 'link', 'del', link)
      await waitUntil('no link is left', 10_000, () => links().length === 0)
      for (const table of ['filter', 'nat']) for (const flush of ['-F', '-X']) run('iptables', '-t', table, flush)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }

/** A link may have gone with its other end. */
function run(...[program = '', ...args]: readonly string[]): void {
  try {
    execFileSync(program, args, { env, stdio: 'ignore' })
  } catch {}
}

function links(): readonly string[] {
  const out = execFileSync('ip', ['-o', 'link', 'show'], { env, encoding: 'utf8' })
  return out
    .split('\n')
    .flatMap(line => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? [])
    .filter(name => name !== 'lo')
}
